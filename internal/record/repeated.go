package record

import (
	"hash/maphash"
	"slices"
)

// Repeated returns the names that occur more than once.
//
// It sorts hashes of the names, because to put all of a million names into a map takes
// three times as long, and few of them are repeated.
func Repeated(names []string) map[string]bool {
	seed := maphash.MakeSeed()
	hashes := make([]uint64, len(names))
	for i, name := range names {
		hashes[i] = maphash.String(seed, name)
	}
	slices.Sort(hashes)
	suspects := make(map[uint64]bool) // hashes of repeated names, or by chance of two names
	for i := 1; i < len(hashes); i++ {
		if hashes[i] == hashes[i-1] {
			suspects[hashes[i]] = true
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	seen, repeated := make(map[string]bool), make(map[string]bool)
	for _, name := range names {
		if !suspects[maphash.String(seed, name)] {
			continue
		}
		if seen[name] {
			repeated[name] = true
		}
		seen[name] = true
	}
	return repeated
}
