package budget

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
)

// The operations of a journal, one on each line: eight digits of a checksum, a blank, and JSON.
const (
	opLegs    = "l" // legs that later lines name by number
	opReserve = "r"
	opSettle  = "s"
	opCharge  = "c"
	opExtend  = "x"
	opExpire  = "e"
	opCounter = "n" // of a snapshot
	opRecord  = "h" // of a snapshot: a reservation as it stands
	opKnown   = "k" // of a snapshot: a call that was charged
)

type operation struct {
	Op      string  `json:"o"`
	ID      string  `json:"i,omitempty"`
	Number  int     `json:"n,omitempty"` // of the legs
	Legs    []Leg   `json:"l,omitempty"`
	Amounts []int64 `json:"a,omitempty"`
	Charges []int64 `json:"c,omitempty"`
	Time    float64 `json:"t,omitempty"`
	State   State   `json:"s,omitempty"`
	Release bool    `json:"d,omitempty"`
	Mask    uint32  `json:"m,omitempty"`
	Until   int64   `json:"u,omitempty"`
}

func encode(given *operation) []byte {
	text, err := json.Marshal(given)
	if err != nil { // a time that is not finite
		text = []byte(`{"o":"?"}`)
	}
	line := make([]byte, 0, len(text)+10)
	line = fmt.Appendf(line, "%08x ", crc32.ChecksumIEEE(text))
	line = append(line, text...)
	return append(line, '\n')
}

// number is that of legs, with the line that gives it to them if they have none yet.
func number(known map[*Leg]int, legs []Leg) (int, []byte) {
	if len(legs) == 0 {
		return 0, nil
	}
	if found, ok := known[&legs[0]]; ok {
		return found, nil
	}
	made := len(known) + 1
	known[&legs[0]] = made
	return made, encode(&operation{Op: opLegs, Number: made, Legs: legs})
}

func (f *File) reserved(held *record) [][]byte {
	named, line := number(f.known, held.Legs)
	return [][]byte{line, encode(&operation{
		Op: opReserve, ID: held.ID, Number: named, Amounts: held.Amounts, Charges: held.Charges, Time: held.expires,
	})}
}

func (f *File) settled(op, id string, legs []Leg, actuals []int64, release bool) [][]byte {
	named, line := number(f.known, legs)
	return [][]byte{line, encode(&operation{Op: op, ID: id, Number: named, Amounts: actuals, Release: release})}
}

// snapshot writes everything there is, in the order in which it must come back.
func (f *File) snapshot(into io.Writer, known map[*Leg]int) (int64, error) {
	var text bytes.Buffer
	total := int64(0)
	flush := func(least int) error {
		if text.Len() < least {
			return nil
		}
		written, err := text.WriteTo(into)
		total += written
		return err
	}
	put := func(given *operation) error {
		text.Write(encode(given))
		return flush(1 << 20)
	}
	for _, key := range slices.Sorted(maps.Keys(f.counters)) {
		found := f.counters[key]
		err := put(&operation{
			Op: opCounter, ID: key, Amounts: []int64{found.spent, found.reserved}, Mask: found.mask, Until: found.until,
		})
		if err != nil {
			return total, err
		}
	}
	keep := func(found *record) error {
		named, line := number(known, found.Legs)
		text.Write(line)
		return put(&operation{
			Op: opRecord, ID: found.ID, Number: named, Amounts: found.Amounts, Charges: found.Charges,
			Time: found.expires, State: found.State,
		})
	}
	for _, id := range f.order[f.head:] {
		if err := keep(f.ended[id]); err != nil {
			return total, err
		}
	}
	err := f.charged.inOrder(func(id digest) error {
		return put(&operation{Op: opKnown, ID: hex.EncodeToString(id[:])})
	})
	if err != nil {
		return total, err
	}
	for _, id := range slices.Sorted(maps.Keys(f.open)) {
		if err := keep(f.open[id]); err != nil {
			return total, err
		}
	}
	err = flush(0)
	return total, err
}

// replay does again what a journal says.
type replay struct {
	store *Memory
	legs  map[int][]Leg
}

var errDamaged = errors.New("its checksum does not fit")

func (r *replay) line(line []byte) error {
	if len(line) < 10 || line[8] != ' ' {
		return errDamaged
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.ChecksumIEEE(line[9:]) {
		return errDamaged
	}
	var given operation
	if err := json.Unmarshal(line[9:], &given); err != nil {
		return err
	}
	return r.do(&given)
}

func (r *replay) do(given *operation) error {
	legs := r.legs[given.Number]
	if given.Number > 0 && given.Op != opLegs && len(legs) != len(given.Amounts) {
		return errors.New("it names legs that are not there")
	}
	switch given.Op {
	case opLegs:
		r.legs[given.Number] = given.Legs
	case opReserve:
		r.store.hold(r.record(given, legs))
	case opSettle:
		_, err := r.store.settle(given.ID, legs, given.Amounts, given.Release)
		return err
	case opCharge:
		r.store.postOne(&Charge{ID: given.ID, Plan: &Plan{Legs: legs}, Actuals: given.Amounts})
	case opExtend:
		r.store.extend(given.ID, given.Time)
	case opExpire:
		r.store.expireDue(given.Time)
	case opCounter:
		return r.counter(given)
	case opKnown:
		id, err := hex.DecodeString(given.ID)
		if err != nil || len(id) != len(digest{}) {
			return errors.New("it has no digest of a call")
		}
		r.store.charged.add(digest(id))
	case opRecord:
		found := r.record(given, legs)
		if found.State = given.State; found.State == Open {
			r.store.open[found.ID] = found // what it holds is in the counters of the snapshot
			r.store.nextDue = min(r.store.nextDue, found.expires)
		} else {
			r.store.remember(found)
		}
	default:
		return fmt.Errorf("it has the unknown operation %q", given.Op)
	}
	return nil
}

func (r *replay) record(given *operation, legs []Leg) *record {
	return &record{
		Record:  Record{ID: given.ID, Legs: legs, Amounts: given.Amounts, Charges: given.Charges},
		expires: given.Time,
	}
}

func (r *replay) counter(given *operation) error {
	if len(given.Amounts) != 2 {
		return errors.New("a counter has two amounts")
	}
	r.store.counters[given.ID] = &counter{given.Amounts[0], given.Amounts[1], given.Mask, given.Until}
	return nil
}
