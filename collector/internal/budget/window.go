package budget

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on every system, as they are to Python's tzdata
)

// The kinds of window: what ends it.
const (
	Hour    = "hour"
	Day     = "day"
	Week    = "week"
	Month   = "month"
	Quarter = "quarter"
	Year    = "year"
	Rolling = "rolling"
	Total   = "total"
)

var (
	calendar = []string{Hour, Day, Week, Month, Quarter, Year, Total}
	weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	monthsOf = map[string]int{Month: 1, Quarter: 3, Year: 12}
)

const hourS = 3600

// Window is a kind of window. LengthS and Buckets are for a rolling one.
type Window struct {
	Kind      string
	TimeZone  string
	WeekStart string
	AnchorDay int
	LengthS   int64
	Buckets   int64
	zone      *time.Location
}

// Span is one window: start and end in UTC seconds; HasEnd is false for a total. Buckets are the starts of all buckets
// that count, the newest first; a calendar window is its own only bucket.
type Span struct {
	Start   int64
	End     int64
	HasEnd  bool
	Label   string
	Buckets []int64
}

// newWindow fills in what is left out and checks the rest.
func newWindow(given Window) (Window, error) {
	if given.Kind == "" {
		given.Kind = Month
	}
	if given.TimeZone == "" {
		given.TimeZone = "UTC"
	}
	if given.WeekStart == "" {
		given.WeekStart = weekdays[0]
	}
	if given.AnchorDay == 0 {
		given.AnchorDay = 1
	}
	if given.TimeZone == "Local" {
		return given, errors.New("time zone 'Local' is not known.  fix: use an IANA name such as Europe/Berlin")
	}
	zone, err := time.LoadLocation(given.TimeZone)
	if err != nil {
		return given, fmt.Errorf("time zone '%s' is not known.  fix: use an IANA name such as Europe/Berlin", given.TimeZone)
	}
	given.zone = zone
	if !slices.Contains(weekdays, given.WeekStart) {
		return given, fmt.Errorf("week_start is '%s', no day of the week.  fix: use one of %s", given.WeekStart,
			strings.Join(weekdays, ", "))
	}
	if given.AnchorDay < 1 || given.AnchorDay > 31 {
		return given, fmt.Errorf("anchor_day is %d.  fix: give a day of the month, 1 to 31", given.AnchorDay)
	}
	if given.Kind == Rolling && (given.Buckets < 1 || given.Buckets > 100 || given.LengthS < given.Buckets) {
		return given, fmt.Errorf("a rolling window of %d s in %d buckets.  "+
			"fix: give a length of a second or more for each bucket, and 1 to 100 buckets", given.LengthS, given.Buckets)
	}
	return given, nil
}

// Series keeps counters of different kinds of windows apart.
func (w *Window) Series() string {
	if w.Kind == Rolling {
		return fmt.Sprintf("rolling%d", w.LengthS)
	}
	return w.Kind
}

// At is the window in which an instant (UTC seconds) lies.
func (w *Window) At(now float64) Span {
	moment := int64(math.Floor(now))
	var start, end int64
	switch w.Kind {
	case Total:
		return Span{Label: Total, Buckets: []int64{0}}
	case Rolling:
		return w.rolling(moment)
	case Hour:
		start, end = w.hour(moment)
	default:
		start, end = w.calendar(moment)
	}
	return Span{start, end, true, w.label(start), []int64{start}}
}

// rolling is the bucket of now and those before it; it ends when the next bucket starts. The oldest is counted in full.
func (w *Window) rolling(now int64) Span {
	length := -floorDiv(-w.LengthS, w.Buckets)
	start := floorDiv(now, length) * length
	starts := make([]int64, w.Buckets+1)
	for place := range starts {
		starts[place] = start - int64(place)*length
	}
	return Span{start, start + length, true, fmt.Sprintf("rolling-%ds", w.LengthS), starts}
}

// date is a day of the calendar, without a zone.
type date = time.Time

func dateOf(year int, month time.Month, day int) date {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func (w *Window) calendar(now int64) (start, end int64) {
	local := time.Unix(now, 0).In(w.zone)
	day := w.firstDay(dateOf(local.Date()))
	start, end = w.midnight(day), w.midnight(w.next(day))
	for start > now { // a clock put back over midnight shows the day before a second time
		day = w.firstDay(day.AddDate(0, 0, -1))
		start, end = w.midnight(day), start
	}
	for end <= now {
		day = w.next(day)
		start, end = end, w.midnight(w.next(day))
	}
	return start, end
}

// firstDay is the day at which the window of a day starts.
func (w *Window) firstDay(day date) date {
	switch w.Kind {
	case Day:
		return day
	case Week:
		weekday := (int(day.Weekday()) + 6) % 7 // Monday is 0
		return day.AddDate(0, 0, -((weekday - slices.Index(weekdays, w.WeekStart) + 7) % 7))
	}
	months := monthsOf[w.Kind]
	count := day.Year()*12 + int(day.Month()) - 1
	first := count - count%months
	if found := w.anchored(first); !found.After(day) {
		return found
	}
	return w.anchored(first - months)
}

// next is the first day of the window after the one that starts at day.
func (w *Window) next(day date) date {
	switch w.Kind {
	case Day:
		return day.AddDate(0, 0, 1)
	case Week:
		return day.AddDate(0, 0, 7)
	}
	return w.anchored(day.Year()*12 + int(day.Month()) - 1 + monthsOf[w.Kind])
}

func (w *Window) anchored(months int) date {
	year, month := months/12, time.Month(months%12+1)
	last := dateOf(year, month+1, 0).Day()
	return dateOf(year, month, min(w.AnchorDay, last))
}

// midnight is the instant at which a day starts; where the clock skips midnight, the instant it does. Of two midnights
// it is the first. Both mean the offset before the change, as in Python (fold=0).
func (w *Window) midnight(day date) int64 {
	const day24 = 24 * hourS
	local := day.Unix()
	before, after := w.offset(local-day24), w.offset(local+day24)
	if w.offset(local-before) != before && w.offset(local-after) == after {
		return local - after
	}
	return local - before
}

// hour is the clock hour around now. A change of the clock inside it ends it and starts another.
func (w *Window) hour(now int64) (start, end int64) {
	offset := w.offset(now)
	start = floorDiv(now+offset, hourS)*hourS - offset
	end = start + hourS
	if w.offset(start) != offset {
		start = w.change(start, now)
	}
	if w.offset(end) != offset {
		end = w.change(now, end)
	}
	return start, end
}

// change is the first instant in (before, after] with the offset of after.
func (w *Window) change(before, after int64) int64 {
	offset := w.offset(after)
	for after-before > 1 {
		if middle := floorDiv(before+after, 2); w.offset(middle) == offset {
			after = middle
		} else {
			before = middle
		}
	}
	return after
}

func (w *Window) offset(moment int64) int64 {
	_, offset := time.Unix(moment, 0).In(w.zone).Zone()
	return int64(offset)
}

func (w *Window) label(start int64) string {
	local := time.Unix(start, 0).In(w.zone)
	switch w.Kind {
	case Hour:
		return local.Format("2006-01-02T15")
	case Day:
		return local.Format(time.DateOnly)
	case Week:
		year, week := local.ISOWeek()
		return fmt.Sprintf("%d-W%02d", year, week)
	case Month:
		return local.Format("2006-01")
	case Quarter:
		return fmt.Sprintf("%d-Q%d", local.Year(), (int(local.Month())-1)/3+1)
	}
	return local.Format("2006")
}

func floorDiv(a, b int64) int64 {
	quotient := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		quotient--
	}
	return quotient
}
