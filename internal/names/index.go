// Package names finds a number by a name: the line of a user, say. It is for
// millions of names that stand in a text already, which a map would copy, one
// allocation each.
package names

import (
	"bytes"
	"hash/maphash"
	"iter"
	"math/bits"

	"github.com/registryctl/registryctl/internal/hugepages"
)

// An Index holds numbers under names, one number a name. It keeps of a name only
// some bits of its hash and asks its owner for the rest.
//
// It is a hash table with linear probing. Its hash function is seeded anew for
// each Index, so that nobody can choose names that all meet in one place.
//
// An Index that is not changed may be asked by several goroutines at once.
type Index struct {
	name func(number int) []byte
	seed maphash.Seed
	// The highest bits of a slot are those of the name's hash, the others the
	// number and one more, so that 0 is a free slot. The number of slots is a
	// power of two.
	slots []uint64
	used  int // slots that are not free, the deleted ones among them
}

// MaxNumber is the highest number that an Index can hold.
const MaxNumber int64 = 1<<numberBits - 3

const (
	numberBits = 36
	numberMask = 1<<numberBits - 1
	deleted    = numberMask // the number and one more of a slot that was in use
)

// NewIndex returns an empty Index. The function says which name a number was put
// under, for as long as it is there.
func NewIndex(name func(number int) []byte) *Index {
	x := &Index{name: name, seed: maphash.MakeSeed()}
	x.slots = make([]uint64, slotsFor(0))
	return x
}

// Build returns an Index into which all was put, as by PutAll.
func Build(size int, name func(number int) []byte, all iter.Seq2[int, []byte], again func(before, number int)) *Index {
	x := NewIndex(name)
	x.PutAll(size, all, again)
	return x
}

// PutAll puts each number under its name, in their order; there are about size of
// them. It calls again for each that took the place of another number.
//
// That is several times as fast as Put for each: of a large table every slot is
// far away in memory, so PutAll first sorts, roughly, the names by their slots.
func (x *Index) PutAll(size int, all iter.Seq2[int, []byte], again func(before, number int)) {
	put := makeSlots(size)[:0]
	for number, name := range all {
		put = append(put, x.tag(name)|uint64(number+1))
	}
	x.makeRoom(len(put))
	for _, slot := range byHome(put) {
		if before, had := x.put(slot, nil); had {
			again(before, numberIn(slot))
		}
	}
}

// byHome sorts by the highest byte, and keeps the order of equal ones.
func byHome(slots []uint64) []uint64 {
	var end [1 << 8]int
	for _, slot := range slots {
		end[slot>>56]++
	}
	sum := 0
	for i, n := range end {
		end[i], sum = sum, sum+n
	}
	sorted := makeSlots(len(slots))
	for _, slot := range slots {
		sorted[end[slot>>56]] = slot
		end[slot>>56]++
	}
	return sorted
}

// makeSlots returns free slots.
func makeSlots(n int) []uint64 {
	slots := make([]uint64, n)
	hugepages.Prefer(slots)
	return slots
}

// slotsFor keeps at least a quarter of the slots free: the runs of used ones,
// through which a search goes, stay short.
func slotsFor(size int) int {
	const least = 16
	return max(least, 1<<bits.Len(uint(size+size/3)))
}

// Get returns the number that the name has; ok is false if it has none.
func (x *Index) Get(name []byte) (number int, ok bool) {
	if x.used == 0 {
		return 0, false
	}
	at, found := x.find(x.tag(name), notNil(name))
	if !found {
		return 0, false
	}
	return numberIn(x.slots[at]), true
}

// Put gives the name a number, from 0 to MaxNumber, and returns the one that it
// had before; had is false if it had none.
func (x *Index) Put(name []byte, number int) (before int, had bool) {
	return x.put(x.tag(name)|uint64(number+1), notNil(name))
}

func (x *Index) put(slot uint64, name []byte) (before int, had bool) {
	tag := slot &^ numberMask
	at, had := x.find(slot, name)
	if had {
		before = numberIn(x.slots[at])
	} else {
		if x.used == len(x.slots)/4*3 {
			x.makeRoom(x.used)
			at = x.free(tag)
		}
		x.used++
	}
	x.slots[at] = slot
	return before, had
}

// Delete takes the name's number from it, if it has one.
func (x *Index) Delete(name []byte) {
	if at, found := x.find(x.tag(name), notNil(name)); found {
		x.slots[at] = deleted
	}
}

// tag is the part of a slot that the name's hash makes.
func (x *Index) tag(name []byte) uint64 {
	return maphash.Bytes(x.seed, name) &^ numberMask
}

// home is where the search for a tag begins. Its highest bits say so; where there
// are more slots than it can tell apart, the homes lie that far from each other.
func (x *Index) home(tag uint64) int {
	return int(tag >> (64 - bits.Len(uint(len(x.slots)-1))))
}

// numberIn is the number that a slot in use holds.
func numberIn(slot uint64) int { return int(slot&numberMask) - 1 }

// notNil tells an empty name from one that find has to ask for.
func notNil(name []byte) []byte {
	if name == nil {
		return []byte{}
	}
	return name
}

// find returns the slot of a name, or the free slot that the search for it ends
// at. Wanted is a slot that would hold it, or its tag alone. A nil name is that of
// the wanted slot's number, and asked for only where another name has its tag.
func (x *Index) find(wanted uint64, name []byte) (at int, found bool) {
	mask := len(x.slots) - 1
	for at = x.home(wanted); x.slots[at] != 0; at = (at + 1) & mask {
		slot := x.slots[at]
		if slot == deleted || (slot^wanted)&^numberMask != 0 {
			continue
		}
		if name == nil {
			name = notNil(x.name(numberIn(wanted)))
		}
		if bytes.Equal(x.name(numberIn(slot)), name) {
			return at, true
		}
	}
	return at, false
}

// free returns the free slot that the search for a tag ends at.
func (x *Index) free(tag uint64) int {
	at := x.home(tag)
	for x.slots[at] != 0 {
		at = (at + 1) & (len(x.slots) - 1)
	}
	return at
}

// makeRoom makes sure that so many more names can be put. Deleted slots are left
// out then, which may be room enough.
func (x *Index) makeRoom(more int) {
	if x.used+more <= len(x.slots)/4*3 {
		return
	}
	old := x.slots
	x.used = 0
	for _, slot := range old {
		if slot != 0 && slot != deleted {
			x.used++
		}
	}
	x.slots = makeSlots(slotsFor(x.used + more))
	for _, slot := range old {
		if slot != 0 && slot != deleted {
			x.slots[x.free(slot&^numberMask)] = slot
		}
	}
}
