package htpasswd

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/registryctl/registryctl/internal/names"
)

// A few users are found sooner by scanning the text than by an index of it,
// which takes as long to build as about this many scans.
const scansBeforeIndex = 8

// An index knows the lines of each user, so that many edits of one File cost
// about one pass over its text and not one each. It is built when it has become
// worth it, which may be while several goroutines look up users.
type index struct {
	scans atomic.Int32 // look-ups without it
	mu    sync.Mutex   // held by who builds it
	built atomic.Pointer[lineIndex]
}

// A lineIndex is kept up to date by the edits of its File.
type lineIndex struct {
	users   *names.Index  // the user's last line
	earlier map[int][]int // the others, by the last one, for a user with several
	lines   newlines      // of the text
}

// of returns the index of f, or nil as long as scanning is cheaper.
func (x *index) of(f *File) *lineIndex {
	if built := x.built.Load(); built != nil {
		return built
	}
	if x.scans.Add(1) <= scansBeforeIndex || int64(len(f.text)) > names.MaxNumber/2 {
		return nil
	}
	return x.build(f)
}

func (x *index) build(f *File) *lineIndex {
	x.mu.Lock()
	defer x.mu.Unlock()
	if built := x.built.Load(); built != nil {
		return built
	}
	built := &lineIndex{earlier: make(map[int][]int)}
	built.users = names.Build(f.sizeGuess(), f.userOf, f.userLines(), built.again)
	built.lines.count(f.text)
	x.built.Store(built)
	return built
}

// sizeGuess is about how many users the file has.
func (f *File) sizeGuess() int {
	const typicalLine = 70 // a name, a colon and a bcrypt hash
	return (len(f.text) + len(f.added)) / typicalLine
}

// add notes a line of the user's behind those that are known.
func (x *lineIndex) add(user []byte, ref int) {
	if last, had := x.users.Put(user, ref); had {
		x.again(last, ref)
	}
}

// again notes that a line is the last one of a user who had another.
func (x *lineIndex) again(last, ref int) {
	x.earlier[ref] = append(x.earlier[last], last)
	delete(x.earlier, last)
}

// get returns the offsets of the user's lines, in their order.
func (x *lineIndex) get(user []byte) []int {
	last, ok := x.users.Get(user)
	if !ok {
		return nil
	}
	return append(slices.Clip(x.earlier[last]), last)
}

// textLines counts the lines of the text; nil, which scans it, where there is no
// index.
func (x *index) textLines() newlines {
	if built := x.built.Load(); built != nil {
		return built.lines
	}
	return nil
}

// newlines counts those of a text before each of its blocks, so that the number
// of a line is found without reading all that is before it.
type newlines []int

const blockBytes = 4096

// count takes the blocks of a text into account that it has got since.
func (n *newlines) count(text []byte) {
	if *n == nil {
		*n = newlines{0}
	}
	for at := (len(*n) - 1) * blockBytes; at+blockBytes <= len(text); at += blockBytes {
		*n = append(*n, (*n)[len(*n)-1]+bytes.Count(text[at:at+blockBytes], []byte{'\n'}))
	}
}

// before returns how many there are before an offset.
func (n newlines) before(text []byte, offset int) int {
	if n == nil {
		return bytes.Count(text[:offset], []byte{'\n'})
	}
	block := offset / blockBytes
	return n[block] + bytes.Count(text[block*blockBytes:offset], []byte{'\n'})
}
