package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// answer is what is known of a condition before CEL evaluates it.
type answer uint8

const (
	open answer = iota // for CEL to say, whatever it says: true, false or an error
	yes
	no
	fails // a fact that is needed is not known
)

func answered(holds bool) answer {
	if holds {
		return yes
	}
	return no
}

// quick answers a condition, or leaves it open. It never says other than CEL: numbers that are none, and every form of
// condition that it does not know, are left open.
type quick func(b *bindings) answer

func leftOpen(*bindings) answer { return open }

// quickly is the quick form of a checked condition.
func quickly(tree *cel.Ast) quick { return quickForm(tree.NativeRep().Expr()) }

func quickForm(given ast.Expr) quick {
	switch given.Kind() {
	case ast.IdentKind:
		return quickFlag(given.AsIdent())
	case ast.CallKind:
	default:
		return leftOpen
	}
	call := given.AsCall()
	switch name := call.FunctionName(); {
	case name == operators.LogicalAnd:
		return quickJoin(call, no)
	case name == operators.LogicalOr:
		return quickJoin(call, yes)
	case name == operators.LogicalNot:
		inner := quickForm(call.Args()[0])
		return func(b *bindings) answer { return [...]answer{open: open, yes: no, no: yes, fails: fails}[inner(b)] }
	case call.IsMemberFunction() && len(call.Args()) == 1:
		return quickOfText(name, call.Target(), call.Args()[0])
	case name == operators.In:
		return quickChoice(call.Args()[0], call.Args()[1])
	case len(call.Args()) == 2 && call.Args()[1].Kind() == ast.LiteralKind:
		return quickComparison(name, call.Args()[0], call.Args()[1])
	}
	return leftOpen
}

// quickJoin is && (which one no decides) or || (which one yes decides). One side decides even where the other is an error.
func quickJoin(call ast.CallExpr, decides answer) quick {
	var sides []quick
	for _, side := range call.Args() {
		sides = append(sides, quickForm(side))
	}
	return func(b *bindings) answer {
		all := yes + no - decides
		for _, side := range sides {
			switch found := side(b); {
			case found == decides:
				return decides
			case found == open || all == open:
				all = open
			case found == fails:
				all = fails
			}
		}
		return all
	}
}

func quickFlag(name string) quick {
	named, ok := bindable[name]
	switch {
	case !ok:
		return leftOpen
	case named.asks:
		return func(b *bindings) answer { return answered(b.fact(named.number) != nil) }
	}
	return ofFact(named.number, func(value bool) answer { return answered(value) })
}

// ofFact answers by a fact of the type that its input has.
func ofFact[T any](number int, then func(value T) answer) quick {
	return func(b *bindings) answer {
		fact := b.fact(number)
		if value, ok := fact.(T); ok {
			return then(value)
		}
		return notThere(fact)
	}
}

func notThere(fact any) answer {
	if fact == nil {
		return fails
	}
	return open
}

// input is the number of the input that an expression names alone; false if it does not.
func input(given ast.Expr) (int, bool) {
	if given.Kind() != ast.IdentKind {
		return 0, false
	}
	named, ok := bindable[given.AsIdent()]
	return named.number, ok && !named.asks
}

// quickOfText is model.startsWith("o3") and the like.
func quickOfText(name string, target, argument ast.Expr) quick {
	test := map[string]func(string, string) bool{
		overloads.StartsWith: strings.HasPrefix, overloads.EndsWith: strings.HasSuffix, overloads.Contains: strings.Contains,
	}[name]
	number, ok := input(target)
	part, isText := literalOf(argument).(types.String)
	if test == nil || !ok || !isText {
		return leftOpen
	}
	return ofFact(number, func(text string) answer { return answered(test(text, string(part))) })
}

// quickChoice is model in ["gpt-5.4", "gpt-4.1"].
func quickChoice(left, right ast.Expr) quick {
	number, ok := input(left)
	if !ok || right.Kind() != ast.ListKind || right.AsList().Size() == 0 || len(right.AsList().OptionalIndices()) > 0 {
		return leftOpen
	}
	var choices []string
	for _, each := range right.AsList().Elements() {
		choice, isText := literalOf(each).(types.String)
		if !isText {
			return leftOpen
		}
		choices = append(choices, string(choice))
	}
	return ofFact(number, func(text string) answer { return answered(slices.Contains(choices, text)) })
}

func literalOf(given ast.Expr) any {
	if given.Kind() != ast.LiteralKind {
		return nil
	}
	return given.AsLiteral()
}

// quickComparison is team == "search", input_tokens > 1000, tools.size() > 3.
func quickComparison(name string, left, right ast.Expr) quick {
	number, ok := input(left)
	if !ok {
		return quickSize(name, left, right)
	}
	switch value := literalOf(right).(type) {
	case types.String:
		if name == operators.Equals || name == operators.NotEquals {
			return ofFact(number, func(text string) answer { return answered((text == string(value)) == (name == operators.Equals)) })
		}
	case types.Int:
		if test := compared(name, int64(value)); test != nil {
			return ofFact(number, test)
		}
	case types.Double:
		if test := compared(name, float64(value)); test != nil {
			return ofFact(number, test)
		}
	}
	return leftOpen
}

// compared is how an amount compares with another; nil for what is no comparison.
func compared[N int64 | float64](name string, to N) func(amount N) answer {
	test := map[string]func(amount N) bool{
		operators.Equals: func(amount N) bool { return amount == to }, operators.NotEquals: func(amount N) bool { return amount != to },
		operators.Less: func(amount N) bool { return amount < to }, operators.LessEquals: func(amount N) bool { return amount <= to },
		operators.Greater: func(amount N) bool { return amount > to }, operators.GreaterEquals: func(amount N) bool { return amount >= to },
	}[name]
	if test == nil {
		return nil
	}
	return func(amount N) answer {
		if amount != amount { // NaN
			return open
		}
		return answered(test(amount))
	}
}

// quickSize compares how many there are: tools.size() or size(tools).
func quickSize(name string, left, right ast.Expr) quick {
	value, isWhole := literalOf(right).(types.Int)
	if left.Kind() != ast.CallKind || left.AsCall().FunctionName() != overloads.Size || !isWhole {
		return leftOpen
	}
	of := left.AsCall().Target()
	if !left.AsCall().IsMemberFunction() {
		of = left.AsCall().Args()[0]
	}
	number, ok := input(of)
	test := compared(name, int64(value))
	switch {
	case !ok || test == nil:
		return leftOpen
	case table.Inputs[number].Kind == kindTexts:
		return ofFact(number, func(found map[string]string) answer { return test(int64(len(found))) })
	}
	return ofFact(number, func(found []string) answer { return test(int64(len(found))) })
}
