package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // conditions name time zones, and small images have no database of them
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

const longestCondition = 10_000 // characters, with variables written out

// environment is the language with our inputs declared.
var environment = func() *cel.Env {
	kinds := map[string]*cel.Type{
		kindString: cel.StringType, kindBool: cel.BoolType, kindInt: cel.IntType, kindDouble: cel.DoubleType,
		kindTimestamp: cel.TimestampType, kindStrings: cel.ListType(cel.StringType),
		kindTexts: cel.MapType(cel.StringType, cel.StringType), kindFlags: cel.MapType(cel.StringType, cel.BoolType),
	}
	options := []cel.EnvOption{cel.DefaultUTCTimeZone(true), cel.EnableIdentifierEscapeSyntax()}
	for _, input := range table.Inputs {
		options = append(options, cel.Variable(input.Name, kinds[input.Kind]))
		if input.Optional {
			options = append(options, cel.Variable(has+input.Name, cel.BoolType))
		}
	}
	made, err := cel.NewEnv(options...)
	if err != nil {
		panic("genops: the inputs of policies cannot be declared: " + err.Error())
	}
	return made
}()

// condition is a compiled condition. reads are the inputs it is about, asks those whose presence it tests.
type condition struct {
	text    string
	program cel.Program
	quick   quick
	reads   []int
	asks    []int
}

func (c *condition) dynamic() bool {
	isDynamic := func(number int) bool { return table.Inputs[number].Dynamic }
	return slices.ContainsFunc(c.reads, isDynamic) || slices.ContainsFunc(c.asks, isDynamic)
}

// compile makes a condition of text, which must come to true or false.
func compile(text, place string) (*condition, error) {
	tree, err := check(text, place)
	if err != nil {
		return nil, err
	}
	if tree.OutputType() != cel.BoolType {
		return nil, &Error{
			Place: place, Message: "the condition comes to " + typeName(tree.OutputType()) + ", expected true or false.",
			Fix: "write a comparison, for example model == 'gpt-4o'",
		}
	}
	// With the optimisation, patterns are compiled once; one that is none fails here instead of at each call.
	program, err := environment.Program(tree, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		if program, err = environment.Program(tree); err != nil {
			return nil, &Error{Place: place, Message: err.Error(), Fix: "correct the condition"}
		}
	}
	made := &condition{text: text, program: program, quick: quickly(tree)}
	for _, name := range identifiers(text) {
		if number := Number(name); number >= 0 {
			made.reads = append(made.reads, number)
		} else if number := Number(strings.TrimPrefix(name, has)); number >= 0 {
			made.asks = append(made.asks, number)
		}
	}
	return made, nil
}

// check is the tree of any expression.
func check(text, place string) (*cel.Ast, error) {
	if utf8.RuneCountInString(text) > longestCondition {
		return nil, &Error{
			Place:   place,
			Message: fmt.Sprintf("the condition is longer than %d characters with its variables written out.", longestCondition),
			Fix:     "split the rule in two",
		}
	}
	tree, issues := environment.Compile(text)
	if issues.Err() == nil {
		return tree, nil
	}
	return nil, explained(issues, place)
}

var undeclared = regexp.MustCompile(`undeclared reference to '([^']*)'`)

func explained(issues *cel.Issues, place string) error {
	first := issues.Errors()[0]
	what, _, _ := strings.Cut(strings.TrimSpace(first.Message), "\n")
	if first.Location.Line() == 1 {
		place = fmt.Sprintf("%s, column %d", place, first.Location.Column()+1)
	}
	if found := undeclared.FindStringSubmatch(what); found != nil {
		return &Error{
			Place: place, Message: quote(found[1]) + " is no input of a rule." + suggest.DidYouMean(found[1], conditionNames),
			Fix: "use " + strings.Join(inputNames, ", "),
		}
	}
	fix := "correct the condition; inputs and types: genops policy inputs"
	if strings.Contains(what, "no matching overload") && strings.Contains(what, "double") && strings.Contains(what, "int") {
		fix = "CEL keeps whole numbers apart: write 1.0 instead of 1"
	}
	return &Error{Place: place, Message: what, Fix: fix}
}

func typeName(kind *cel.Type) string {
	found := strings.ReplaceAll(strings.ReplaceAll(kind.String(), "(", "<"), ")", ">")
	switch {
	case strings.HasPrefix(found, "google.protobuf."):
		return strings.ToLower(strings.TrimPrefix(found, "google.protobuf."))
	case found == "null_type":
		return "null"
	}
	return found
}

// holds is whether the condition is true of what is bound.
func (c *condition) holds(bound *bindings) (bool, error) {
	switch c.quick(bound) {
	case yes:
		return true, nil
	case no:
		return false, nil
	case fails:
		if bound.unknown(c.reads) != "" {
			return false, errUnknown
		}
	}
	found, _, err := c.program.Eval(bound)
	if err != nil {
		return false, err
	}
	answer, ok := found.(types.Bool)
	if !ok {
		return false, errors.New("the condition came to no answer")
	}
	return bool(answer), nil
}

var errUnknown = errors.New("a fact is not known")

// valueOf is a fact as CEL has it.
func valueOf(fact any) ref.Val {
	switch fact := fact.(type) {
	case string:
		return types.String(fact)
	case bool:
		return types.Bool(fact)
	case int64:
		return types.Int(fact)
	case float64:
		return types.Double(fact)
	case time.Time:
		return types.Timestamp{Time: fact.UTC()}
	default:
		if fact == nil {
			return nil
		}
		return types.DefaultTypeAdapter.NativeToValue(fact)
	}
}

// What the other runtime's engine says of the same mistakes: telemetry of both reads alike.
var sayings = []struct {
	pattern *regexp.Regexp
	say     func(found []string) string
}{
	{regexp.MustCompile(`no such key: (.*)`), func(found []string) string { return "NOT_FOUND: Key not found in map : " + strconv.Quote(found[1]) }},
	{regexp.MustCompile(`division by zero`), func([]string) string { return "INVALID_ARGUMENT: divide by zero" }},
	{regexp.MustCompile(`modulus by zero`), func([]string) string { return "INVALID_ARGUMENT: modulus by zero" }},
	{regexp.MustCompile(`integer overflow`), func([]string) string { return "OUT_OF_RANGE: integer overflow" }},
	{regexp.MustCompile(`timestamp overflow`), func([]string) string { return "OUT_OF_RANGE: timestamp overflow" }},
	{regexp.MustCompile(`unknown time zone`), func([]string) string { return "INVALID_ARGUMENT: Invalid timezone" }},
}

const errorShown = 200 // characters of an error that telemetry shows

func said(err error) string {
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	for _, each := range sayings {
		if found := each.pattern.FindStringSubmatch(text); found != nil {
			text = each.say(found)
			break
		}
	}
	if utf8.RuneCountInString(text) > errorShown {
		text = string([]rune(text)[:errorShown])
	}
	return text
}
