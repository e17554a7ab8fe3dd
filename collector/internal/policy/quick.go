package policy

import (
	"math"
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
)

func answered(holds bool) answer {
	if holds {
		return yes
	}
	return no
}

// quick answers a condition, or leaves it open. It never says other than CEL, and never says that there is an error:
// facts that are not known, numbers that are none and every form of condition that it does not know are left open.
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
		return func(b *bindings) answer { return [...]answer{open: open, yes: no, no: yes}[inner(b)] }
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
			switch side(b) {
			case decides:
				return decides
			case open:
				all = open
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
	return func(b *bindings) answer {
		if value, ok := b.fact(named.number).(bool); ok {
			return answered(value)
		}
		return open
	}
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
	return quickText(number, func(text string) bool { return test(text, string(part)) })
}

// quickChoice is model in ["gpt-5.4", "gpt-4.1"].
func quickChoice(left, right ast.Expr) quick {
	number, ok := input(left)
	if !ok || right.Kind() != ast.ListKind || len(right.AsList().OptionalIndices()) > 0 {
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
	return quickText(number, func(text string) bool { return slices.Contains(choices, text) })
}

func quickText(number int, test func(text string) bool) quick {
	return func(b *bindings) answer {
		if text, ok := b.fact(number).(string); ok {
			return answered(test(text))
		}
		return open
	}
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
			return quickText(number, func(text string) bool { return (text == string(value)) == (name == operators.Equals) })
		}
	case types.Int:
		return compared(name, int64(value), func(b *bindings) (int64, bool) {
			amount, ok := b.fact(number).(int64)
			return amount, ok
		})
	case types.Double:
		return compared(name, float64(value), func(b *bindings) (float64, bool) {
			amount, ok := b.fact(number).(float64)
			return amount, ok && !math.IsNaN(amount)
		})
	}
	return leftOpen
}

func compared[N int64 | float64](name string, to N, of func(b *bindings) (N, bool)) quick {
	test := map[string]func(amount N) bool{
		operators.Equals: func(amount N) bool { return amount == to }, operators.NotEquals: func(amount N) bool { return amount != to },
		operators.Less: func(amount N) bool { return amount < to }, operators.LessEquals: func(amount N) bool { return amount <= to },
		operators.Greater: func(amount N) bool { return amount > to }, operators.GreaterEquals: func(amount N) bool { return amount >= to },
	}[name]
	if test == nil {
		return leftOpen
	}
	return func(b *bindings) answer {
		if amount, ok := of(b); ok {
			return answered(test(amount))
		}
		return open
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
	if !ok {
		return leftOpen
	}
	return compared(name, int64(value), func(b *bindings) (int64, bool) {
		switch found := b.fact(number).(type) {
		case []string:
			return int64(len(found)), true
		case map[string]string:
			return int64(len(found)), true
		}
		return 0, false
	})
}
