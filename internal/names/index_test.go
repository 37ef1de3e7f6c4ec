package names_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/names"
)

// A map says what an Index has to say.
func TestIndexIsAMap(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		var texts [][]byte // a number is a place in it
		x := names.NewIndex(func(n int) []byte { return texts[n] })
		m := make(map[string]int)
		for range 20_000 {
			name := []byte(strconv.Itoa(random.IntN(1000)))
			want, has := m[string(name)]
			switch random.IntN(3) {
			case 0:
				texts = append(texts, name)
				before, had := x.Put(name, len(texts)-1)
				require.Equal(t, has, had, "seed %d", seed)
				require.Equal(t, want, before, "seed %d", seed)
				m[string(name)] = len(texts) - 1
			case 1:
				x.Delete(name)
				delete(m, string(name))
			default:
				number, ok := x.Get(name)
				require.Equal(t, has, ok, "seed %d", seed)
				require.Equal(t, want, number, "seed %d", seed)
			}
		}
	}
}

func TestIndexHoldsTheHighestNumber(t *testing.T) {
	x := names.NewIndex(func(n int) []byte { return fmt.Append(nil, n) })
	numbers := []int{0, int(names.MaxNumber) - 1, int(names.MaxNumber)}
	for _, n := range numbers {
		x.Put(fmt.Append(nil, n), n)
	}
	for _, n := range numbers {
		number, ok := x.Get(fmt.Append(nil, n))
		require.True(t, ok)
		require.Equal(t, n, number)
	}
}

// PutAll is Put for each, also where the index is not empty.
func TestPutAll(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for _, size := range []int{0, 1, 10, 1000, 100_000} {
		texts := make([][]byte, size)
		for i := range texts {
			texts[i] = strconv.AppendInt(nil, random.Int64N(int64(size)), 10)
		}
		name := func(n int) []byte { return texts[n] }
		type pair struct{ before, number int }
		want, got := make(map[pair]bool), make(map[pair]bool)
		note := func(before, number int) { got[pair{before, number}] = true }
		one, all := names.NewIndex(name), names.NewIndex(name)
		from := 0
		for _, to := range []int{random.IntN(size + 1), size} {
			for i := from; i < to; i++ {
				if before, had := one.Put(texts[i], i); had {
					want[pair{before, i}] = true
				}
			}
			all.PutAll(random.IntN(size+1), func(yield func(int, []byte) bool) {
				for i := from; i < to && yield(i, texts[i]); i++ {
				}
			}, note)
			for range random.IntN(to + 1) {
				gone := texts[random.IntN(to)]
				one.Delete(gone)
				all.Delete(gone)
			}
			from = to
		}
		require.Equal(t, want, got, "seed %d", seed)
		for i := range size {
			n, ok := one.Get(strconv.AppendInt(nil, int64(i), 10))
			allN, allOK := all.Get(strconv.AppendInt(nil, int64(i), 10))
			require.Equal(t, ok, allOK, "seed %d", seed)
			require.Equal(t, n, allN, "seed %d", seed)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	const users = 1_000_000
	texts := make([][]byte, users)
	for i := range texts {
		texts[i] = fmt.Appendf(nil, "user%07d", i)
	}
	name := func(n int) []byte { return texts[n] }
	each := func(b *testing.B, run func()) {
		for b.Loop() {
			run()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/users, "ns/user")
	}
	b.Run("Put", func(b *testing.B) {
		each(b, func() {
			x := names.NewIndex(name)
			for i, text := range texts {
				x.Put(text, i)
			}
		})
	})
	b.Run("Build", func(b *testing.B) {
		each(b, func() { names.Build(users, name, slices.All(texts), func(int, int) {}) })
	})
}
