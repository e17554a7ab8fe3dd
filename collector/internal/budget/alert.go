package budget

import "math"

// Alert says that Threshold percent of a budget is consumed: once per window, group and threshold, over all processes.
// PerHour is the pace of the window so far; below 0 for a budget without a window. ExhaustedAt is when nothing will be
// left at that pace, in UTC seconds; 0 where the window ends before.
type Alert struct {
	Budget      *Budget
	Group       []Group
	Threshold   int
	Consumed    int64
	Period      string
	At          float64
	PerHour     float64 // in the unit
	ExhaustedAt float64
	Trace       [16]byte // of the call that passed it, if that is known
	Span        [8]byte
}

// alert is what a crossing amounts to; false for a budget that is not declared here.
func (e *Engine) alert(crossing *Crossing, now float64) (Alert, bool) {
	name, group, series, start, ok := ParseKey(crossing.Key)
	budget := e.byName[name]
	if !ok || budget == nil || budget.Window.Series() != series || crossing.Place >= len(budget.Thresholds) {
		return Alert{}, false
	}
	span := budget.Window.At(float64(start))
	made := Alert{
		Budget: budget, Group: group, Threshold: budget.Thresholds[crossing.Place], Consumed: crossing.Spent,
		Period: span.Label, At: now, PerHour: -1,
	}
	if elapsed := now - float64(start); span.HasEnd && elapsed > 0 && !budget.Rate {
		consumed, limit := FloatOf(crossing.Spent, budget.Unit), FloatOf(budget.Limit, budget.Unit)
		made.PerHour = consumed / elapsed * hourS
		moment := now
		if consumed < limit {
			moment += (limit - consumed) / made.PerHour * hourS
		}
		if consumed >= limit || moment < float64(span.End) && !math.IsInf(moment, 0) {
			made.ExhaustedAt = moment
		}
	}
	return made, true
}
