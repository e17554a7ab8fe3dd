package budget

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	journalName   = "budgets.journal"
	lockName      = "budgets.lock"
	rewriteAt     = 64 << 20 // bytes of journal beyond its snapshot after which it is written anew
	tryAgainAfter = time.Second
)

// File is a Store in a directory: the counters in memory, and a journal that is written before anything is acknowledged.
// A process that is killed loses nothing that was acknowledged; with fsync, neither does a machine that loses its power.
// Operations that come together are written together.
type File struct {
	*Memory
	directory string
	fsync     bool
	lockFile  *os.File

	// The fields from here on are guarded by Memory.mu.
	known   map[*Leg]int // legs that the journal has already, by their first
	pending []byte
	asked   int64 // operations that were put into pending
	size    int64
	base    int64

	commit sync.Mutex // held while the journal is written; taken before Memory.mu
	file   *os.File
	done   int64 // operations that are in the journal
	since  time.Time
	failed atomic.Pointer[StoreError]
}

// OpenFile opens or makes the store in a directory. The error says what to do.
func OpenFile(directory string, fsync bool, clock func() float64) (*File, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("the budget store cannot be kept in %s: %w", directory, err)
	}
	held, err := os.OpenFile(filepath.Join(directory, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the budget store cannot be kept in %s: %w", directory, err)
	}
	if err := lock(held); err != nil {
		return nil, errors.Join(fmt.Errorf("the budget store in %s is in use by another process.  "+
			"fix: give each Collector a directory of its own, or use redis:// to share one", directory), held.Close())
	}
	made := &File{Memory: NewMemory(clock), directory: directory, fsync: fsync, lockFile: held, known: map[*Leg]int{}}
	if err := made.load(); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	if err := made.rewrite(); err != nil {
		return nil, errors.Join(fmt.Errorf("the budget store cannot be kept in %s: %w", directory, err), held.Close())
	}
	return made, nil
}

func (f *File) path() string { return filepath.Join(f.directory, journalName) }

// load reads the journal. Its last line may be torn: it was never acknowledged. Any other that cannot be read is refused.
func (f *File) load() error {
	file, err := os.Open(f.path())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	reader, back := bufio.NewReaderSize(file, 1<<20), &replay{store: f.Memory, legs: map[int][]Leg{}}
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := back.line(line[:len(line)-1]); err != nil {
			if _, more := reader.Peek(1); errors.Is(more, io.EOF) {
				return nil // power was lost while it was written
			}
			return fmt.Errorf("%s: line %d is damaged: %w.  fix: restore the file, or remove it to begin with empty budgets",
				f.path(), number, err)
		}
	}
}

// rewrite puts what is there into a journal of its own and goes on with that. Memory.mu or sole ownership is needed.
func (f *File) rewrite() error {
	next := f.path() + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	known := map[*Leg]int{}
	written, err := f.snapshot(file, known)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(next, f.path())
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(next))
	}
	if f.fsync {
		syncDirectory(f.directory)
	}
	if f.file != nil {
		_ = f.file.Close()
	}
	f.file, f.known, f.pending = file, known, nil
	f.size, f.base, f.done = written, written, f.asked
	return nil
}

func syncDirectory(path string) {
	if directory, err := os.Open(path); err == nil {
		_ = directory.Sync()
		_ = directory.Close()
	}
}

// written waits until the operations up to a number are in the journal.
func (f *File) written(number int64) error {
	f.commit.Lock()
	defer f.commit.Unlock()
	if f.done >= number {
		return nil
	}
	if failed := f.failed.Load(); failed != nil {
		return failed
	}
	f.mu.Lock()
	batch, asked := f.pending, f.asked
	f.pending = nil
	f.size += int64(len(batch))
	large := f.size-f.base > max(rewriteAt, f.base)
	f.mu.Unlock()
	_, err := f.file.Write(batch)
	if err == nil && f.fsync {
		err = f.file.Sync()
	}
	if err != nil {
		return f.fail(err)
	}
	f.done = asked
	if large {
		f.mu.Lock()
		if f.rewrite() != nil {
			f.base = f.size // the old journal still takes operations; try again when it has grown
		}
		f.mu.Unlock()
	}
	return nil
}

func (f *File) fail(err error) error {
	f.since = time.Now()
	failed := &StoreError{
		fmt.Sprintf("the budget store in %s cannot be written: %s", f.directory, err), "make room there", err,
	}
	f.failed.Store(failed)
	return failed
}

// usable is whether the journal takes operations. After a failure it is written anew, as a whole, before it does.
func (f *File) usable() error {
	if f.failed.Load() == nil {
		return nil
	}
	f.commit.Lock()
	defer f.commit.Unlock()
	if failed := f.failed.Load(); failed == nil || time.Since(f.since) < tryAgainAfter {
		return asError(failed)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.rewrite(); err != nil {
		return f.fail(err)
	}
	f.failed.Store(nil)
	return nil
}

func asError(failed *StoreError) error {
	if failed == nil {
		return nil
	}
	return failed
}

// note puts an operation into what is to be written. Memory.mu is held.
func (f *File) note(lines ...[]byte) int64 {
	for _, line := range lines {
		f.pending = append(f.pending, line...)
	}
	f.asked++
	return f.asked
}

// Reserve takes the amounts from all legs or from none.
func (f *File) Reserve(_ context.Context, request *Request) (*Granted, *Refused, error) {
	if err := f.usable(); err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	granted, refused, err := f.reserve(request)
	number := f.asked
	if granted != nil && !granted.Repeated {
		number = f.note(f.reserved(f.open[request.ID])...)
	}
	f.mu.Unlock()
	if err != nil || refused != nil {
		return nil, refused, err
	}
	return granted, nil, f.written(number)
}

// Settle charges actuals in place of what is reserved.
func (f *File) Settle(_ context.Context, id string, legs []Leg, actuals []int64, release bool) (Ended, error) {
	if err := f.usable(); err != nil {
		return Ended{}, err
	}
	f.mu.Lock()
	ended, err := f.settle(id, legs, actuals, release)
	number := f.asked
	if err == nil && !ended.Repeated {
		number = f.note(f.settled(opSettle, id, legs, actuals, release)...)
	}
	f.mu.Unlock()
	if err != nil {
		return Ended{}, err
	}
	return ended, f.written(number)
}

// Charge posts what was spent already.
func (f *File) Charge(_ context.Context, charges []Charge) ([]Ended, error) {
	if err := f.usable(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	made := f.post(charges)
	number := f.asked
	for place := range charges {
		if !made[place].Repeated {
			given := &charges[place]
			number = f.note(f.settled(opCharge, given.ID, given.Plan.Legs, given.Actuals, false)...)
		}
	}
	f.mu.Unlock()
	return made, f.written(number)
}

// Extend lets an open reservation live until expires.
func (f *File) Extend(_ context.Context, id string, expires float64) (bool, error) {
	if err := f.usable(); err != nil {
		return false, err
	}
	f.mu.Lock()
	extended := f.extend(id, expires)
	number := f.asked
	if extended {
		number = f.note(encode(&operation{Op: opExtend, ID: id, Time: expires}))
	}
	f.mu.Unlock()
	return extended, f.written(number)
}

// ExpireDue charges open reservations whose time is over.
func (f *File) ExpireDue(_ context.Context, now float64) ([]Ended, error) {
	if err := f.usable(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	ended := f.expireDue(now)
	number := f.asked
	if len(ended) > 0 {
		number = f.note(encode(&operation{Op: opExpire, Time: now}))
	}
	f.mu.Unlock()
	return ended, f.written(number)
}

// Close writes what is pending and lets go of the directory.
func (f *File) Close() error {
	f.mu.Lock()
	number := f.asked
	f.mu.Unlock()
	return errors.Join(f.written(number), f.file.Close(), f.lockFile.Close())
}
