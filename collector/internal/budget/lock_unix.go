//go:build unix

package budget

import (
	"os"
	"syscall"
)

// lock keeps other processes away from a file as long as this one has it open.
func lock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
