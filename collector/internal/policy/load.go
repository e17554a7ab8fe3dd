package policy

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source is one policy file as it was read.
type Source struct {
	Path string
	Text []byte
}

// Read finds the files that globs name, sorted, and reads them. A glob that names none is an error.
func Read(patterns []string) ([]Source, error) {
	var found []Source
	seen := map[string]bool{}
	for _, pattern := range patterns {
		paths, err := files(pattern)
		if err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			return nil, &Error{
				Message: "policy_files names " + pattern + ", and there is no such file.", Fix: "create it, or correct it",
			}
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("policy_files: %w", err)
			}
			found = append(found, Source{path, text})
		}
	}
	return found, nil
}

// files are the files that a glob names, sorted by their folders and names. `**` is any number of folders.
func files(pattern string) ([]string, error) {
	root, rest, deep := strings.Cut(pattern, "**")
	var paths []string
	if !deep {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("policy_files: %s: %w", pattern, err)
		}
		paths = found
	} else if err := filepath.WalkDir(filepath.Clean(root+"."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		inside, err := filepath.Glob(filepath.Join(path, rest))
		paths = append(paths, inside...)
		return err
	}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("policy_files: %s: %w", pattern, err)
	}
	paths = slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || !info.Mode().IsRegular()
	})
	slices.SortFunc(paths, func(a, b string) int {
		return slices.Compare(strings.Split(a, string(filepath.Separator)), strings.Split(b, string(filepath.Separator)))
	})
	return slices.Compact(paths), nil
}

// Same is whether nothing has changed.
func Same(a, b []Source) bool {
	return slices.EqualFunc(a, b, func(a, b Source) bool { return a.Path == b.Path && bytes.Equal(a.Text, b.Text) })
}

// Load makes a set of files; a flag of a later file goes before that of an earlier one. Exceptions that none of the
// trusted keys signed are an error.
func Load(sources []Source, trustedKeys []string) (*Set, error) {
	var read []*File
	for _, source := range sources {
		file, err := Parse(source.Text, source.Path)
		if err != nil {
			return nil, err
		}
		read = append(read, file)
	}
	return Join(read, trustedKeys)
}

// Join makes a set of files that are read.
func Join(read []*File, trustedKeys []string) (*Set, error) {
	var keys []ed25519.PublicKey
	for _, text := range trustedKeys {
		key, err := publicKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	var rules []*Rule
	var exemptions []*Exemption
	flags := map[string]bool{}
	for _, file := range read {
		rules = append(rules, file.Rules...)
		exemptions = append(exemptions, file.Exemptions...)
		maps.Copy(flags, file.Flags)
	}
	for _, each := range exemptions {
		switch {
		case len(keys) == 0:
			return nil, &Error{
				Place: each.Source, Message: "exception " + quote(each.ID) + " cannot be checked: there are no trusted_keys.",
				Fix: "trusted_keys: [...]; genops policy keygen KEYFILE makes a pair of keys",
			}
		case !each.isSigned(keys):
			return nil, &Error{
				Place: each.Source, Message: "exception " + quote(each.ID) + " is not signed by a trusted key, or was changed since.",
				Fix: "sign it: genops policy except RULE ... --key KEYFILE",
			}
		}
	}
	return NewSet(rules, exemptions, flags)
}
