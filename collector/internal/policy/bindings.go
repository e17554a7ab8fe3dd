package policy

import (
	"math/bits"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// bindings are what conditions are evaluated with. What is not known is not bound. They are used again by the next call.
type bindings struct {
	scope   *Scope
	dynamic Facts
	asked   uint32 // the dynamic inputs whose fact is there, by their numbers
	facts   [mostInputs]any
	made    uint32 // those whose value is there, too
	values  [mostInputs]ref.Val
	found   []finding // of the call
}

var unbound = sync.Pool{New: func() any { return &bindings{} }}

func bind(scope *Scope, dynamic Facts) *bindings {
	made := unbound.Get().(*bindings)
	made.scope, made.dynamic = scope, dynamic
	return made
}

func (b *bindings) done() {
	for left := b.asked; left != 0; left &= left - 1 {
		number := bits.TrailingZeros32(left)
		b.facts[number], b.values[number] = nil, nil
	}
	clear(b.found)
	b.scope, b.dynamic, b.asked, b.made, b.found = nil, nil, 0, 0, b.found[:0]
	unbound.Put(b)
}

// ResolveName is the value of an input, or whether it is known for a name with has_ before it.
func (b *bindings) ResolveName(name string) (any, bool) {
	named, ok := bindable[name]
	if !ok {
		return nil, false
	}
	if named.asks {
		return types.Bool(b.fact(named.number) != nil), true
	}
	found := b.value(named.number)
	return found, found != nil
}

type asked struct {
	number int
	asks   bool
}

// bindable are the names of a condition: each an input, or the question whether it is known.
var bindable = func() map[string]asked {
	made := map[string]asked{}
	for _, name := range conditionNames {
		bare := strings.TrimPrefix(name, has)
		made[name] = asked{numbers[bare], bare != name}
	}
	return made
}()

// Parent is none: there are no other bindings.
func (b *bindings) Parent() cel.Activation { return nil }

// fact is what is known of an input; nil for nothing. A dynamic one is asked for once.
func (b *bindings) fact(number int) any {
	if !table.Inputs[number].Dynamic {
		return b.scope.static[number]
	}
	if b.asked&(1<<number) == 0 {
		b.asked |= 1 << number
		b.facts[number] = b.dynamic.Fact(number)
	}
	return b.facts[number]
}

// value is a fact as CEL has it.
func (b *bindings) value(number int) ref.Val {
	if !table.Inputs[number].Dynamic {
		return b.scope.values[number]
	}
	fact := b.fact(number)
	if b.made&(1<<number) == 0 {
		b.made |= 1 << number
		b.values[number] = valueOf(fact)
	}
	return b.values[number]
}
