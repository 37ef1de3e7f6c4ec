package htpasswd

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// Texts of so many users; the largest has 73 MB.
var sizes = []int{10, 10_000, 1_000_000}

// benchmarkFile runs a benchmark over each size. The rate is that of the text: an
// edit is worth one pass over it.
func benchmarkFile(b *testing.B, run func(b *testing.B, text []byte, users int)) {
	for _, users := range sizes {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			text := benchmarkText(users)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			run(b, text, users)
		})
	}
}

func benchmarkText(users int) []byte {
	text := make([]byte, 0, users*73)
	for i := range users {
		text = fmt.Appendf(text, "user%07d:$2y$05$abcdefghijklmnopqrstuu%030d.\n", i, i)
	}
	return text
}

func parseText(b *testing.B, text []byte) *File {
	f, err := Parse(text)
	require.NoError(b, err)
	return f
}

func lastUser(users int) string { return fmt.Sprintf("user%07d", users-1) }

func BenchmarkParse(b *testing.B) {
	benchmarkFile(b, func(b *testing.B, text []byte, _ int) {
		for b.Loop() {
			parseText(b, text)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	benchmarkFile(b, func(b *testing.B, text []byte, users int) {
		f := parseText(b, text)
		for b.Loop() {
			_, ok := f.Lookup(lastUser(users))
			require.True(b, ok)
		}
	})
}

// Each edit is that of a File of its own, as in the life of a program.
func benchmarkEdit(b *testing.B, edit func(f *File, users int) error) {
	benchmarkFile(b, func(b *testing.B, text []byte, users int) {
		for b.Loop() {
			require.NoError(b, edit(parseText(b, text), users))
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	h := parseHash(b, dockerHash)
	benchmarkEdit(b, func(f *File, _ int) error { return f.Add("elton", h) })
}

func BenchmarkSet(b *testing.B) {
	h := parseHash(b, dockerHash)
	benchmarkEdit(b, func(f *File, users int) error { return f.Set(lastUser(users), h) })
}

func BenchmarkRemove(b *testing.B) {
	benchmarkEdit(b, func(f *File, users int) error { return f.Remove(lastUser(users)) })
}

func BenchmarkApplyTenThousand(b *testing.B) {
	h := parseHash(b, dockerHash)
	changes := make([]Change, 10_000)
	for i := range changes {
		changes[i] = Change{User: fmt.Sprintf("new%d", i), Hash: h}
	}
	benchmarkEdit(b, func(f *File, _ int) error { return f.Apply(changes) })
}

func BenchmarkWriteTo(b *testing.B) {
	benchmarkFile(b, func(b *testing.B, text []byte, users int) {
		f := parseText(b, text)
		require.NoError(b, f.Remove(lastUser(users)))
		for b.Loop() {
			_, err := f.WriteTo(io.Discard)
			require.NoError(b, err)
		}
	})
}

func BenchmarkAll(b *testing.B) {
	benchmarkFile(b, func(b *testing.B, text []byte, _ int) {
		f := parseText(b, text)
		for b.Loop() {
			for range f.All() {
			}
		}
	})
}

func BenchmarkUsers(b *testing.B) {
	benchmarkFile(b, func(b *testing.B, text []byte, _ int) {
		f := parseText(b, text)
		for b.Loop() {
			for range f.Users() {
			}
		}
	})
}
