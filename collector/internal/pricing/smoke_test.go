package pricing

import (
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	book, err := New(Rates{})
	if err != nil {
		t.Fatal(err)
	}
	u := NewUsage()
	u.Set("input", Whole(1200))
	u.Set("output", Whole(350))
	p := book.Price(&u, &Query{Provider: "openai", RequestModel: "gpt-5.4", At: time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)})
	if p.Amount.String() != "0.00825" {
		t.Fatal(p)
	}
}
func BenchmarkPrice(b *testing.B) {
	book, _ := New(Rates{})
	u := NewUsage()
	u.Set("input", Whole(1200))
	u.Set("output", Whole(350))
	q := &Query{Provider: "openai", RequestModel: "gpt-5.4", At: time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)}
	b.ReportAllocs()
	for b.Loop() {
		book.Price(&u, q)
	}
}
