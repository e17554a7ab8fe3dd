package budget

import "context"

// Standing is where one leg of a plan stands.
type Standing struct {
	Plan  *Plan
	Place int
	Left  int64
}

// Standing is where every budget that matches a call stands.
func (e *Engine) Standing(ctx context.Context, call *Call) ([]Standing, error) {
	return e.standing(ctx, e.planner.Plan(call, e.store.Clock()))
}

func (e *Engine) standing(ctx context.Context, plan *Plan) ([]Standing, error) {
	left, err := e.left(ctx, plan)
	if err != nil {
		return nil, err
	}
	found := make([]Standing, len(left))
	for place := range left {
		found[place] = Standing{plan, place, left[place]}
	}
	return found, nil
}

// Standings is where every counter stands that calls of this process touched in the windows that run, and every budget
// that is not grouped; at most limit of them, and how many there are.
func (e *Engine) Standings(ctx context.Context, limit int) ([]Standing, int, error) {
	now, seen := e.store.Clock(), map[string]bool{}
	var chosen Plan
	take := func(plan *Plan) {
		for place := range plan.Legs {
			if key := plan.Legs[place].Key; !seen[key] {
				seen[key] = true
				if len(chosen.Legs) < limit {
					chosen.Legs, chosen.Budgets = append(chosen.Legs, plan.Legs[place]), append(chosen.Budgets, plan.Budgets[place])
					chosen.Groups, chosen.Spans = append(chosen.Groups, plan.Groups[place]), append(chosen.Spans, plan.Spans[place])
				}
			}
		}
	}
	var plain Plan
	for _, budget := range e.Budgets {
		if len(budget.groupBy) == 0 {
			plain.add(budget, nil, budget.Window.At(now))
		}
	}
	take(&plain)
	for _, plan := range e.planner.Current(now) {
		take(plan)
	}
	found, err := e.standing(ctx, &chosen)
	return found, len(seen), err
}
