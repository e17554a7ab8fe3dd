package names

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEveryNameIsFoundAndNoOther(t *testing.T) {
	known := map[string]int{"": 0}
	for number := range 1000 {
		known[fmt.Sprintf("app.attribute.%d", number)] = number
	}
	table := New(known)

	for name, number := range known {
		found := table.Get(KeyOf(name), name)
		if assert.NotNil(t, found, name) {
			assert.Equal(t, number, *found)
		}
		assert.Nil(t, table.Get(KeyOf(name+"x"), name+"x"))
	}
}

func TestAnEmptyTableKnowsNothing(t *testing.T) {
	table := New(map[string]int{})

	for _, name := range []string{"", "a", "gen_ai.system"} {
		assert.Nil(t, table.Get(KeyOf(name), name))
	}
}

func TestFindingTakesNoMemory(t *testing.T) {
	table := New(map[string]int{"gen_ai.system": 1})

	assert.Zero(t, testing.AllocsPerRun(100, func() { table.Get(KeyOf("gen_ai.system"), "gen_ai.system") }))
}
