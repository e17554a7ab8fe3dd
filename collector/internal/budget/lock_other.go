//go:build !unix

package budget

import "os"

// lock does nothing where files have no advisory locks: one Collector at a time is the operator's to keep.
func lock(*os.File) error { return nil }
