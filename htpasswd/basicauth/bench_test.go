package basicauth

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A password that is in the cache.
func BenchmarkRemembered(b *testing.B) {
	for _, users := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			const password = "d0cker"
			hash := hashed(b, password)
			var text strings.Builder
			names := make([]string, users)
			for i := range names {
				names[i] = fmt.Sprint("user", i)
				fmt.Fprintf(&text, "%s:%s\n", names[i], hash)
			}
			a := load(b, &Authenticator{CacheTTL: time.Hour}, text.String())
			verify := func(name string) {
				if err := a.Verify(b.Context(), name, password); err != nil {
					b.Fatal(err)
				}
			}
			for _, name := range names {
				verify(name)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				verify(names[i%users])
				i++
			}
		})
	}
}

// The times of a wrong password and of an unknown user: of half of them that of
// cost 4, of three tenths that of cost 6, and of two tenths that of cost 8, as the
// file has them.
func BenchmarkRefused(b *testing.B) {
	const users = 1000
	var text strings.Builder
	for i := range users {
		fmt.Fprintf(&text, "user%d:%s\n", i, ofCost([]int{4, 6, 4, 8, 4, 6, 4, 8, 4, 6}[i%10]))
	}
	a := load(b, &Authenticator{}, text.String())
	for _, who := range []string{"user", "nobody"} {
		b.Run(who, func(b *testing.B) {
			var times []time.Duration
			for i := 0; b.Loop(); i++ {
				name := fmt.Sprint(who, i%users)
				start := time.Now()
				err := a.Verify(b.Context(), name, "wrong")
				times = append(times, time.Since(start))
				require.Equal(b, ErrUnauthorized, err)
			}
			slices.Sort(times)
			for _, percent := range []int{10, 25, 65, 75, 90} {
				at := times[len(times)*percent/100]
				b.ReportMetric(float64(at.Microseconds())/1000, fmt.Sprintf("ms-p%d", percent))
			}
		})
	}
}

// The file is read, and its users found.
func BenchmarkReload(b *testing.B) {
	for _, users := range []int{10, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			var text bytes.Buffer
			for i := range users {
				fmt.Fprintf(&text, "user%07d:$2y$05$%053d\n", i, i)
			}
			path := filepath.Join(b.TempDir(), "htpasswd")
			require.NoError(b, os.WriteFile(path, text.Bytes(), 0o600))
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				a := &Authenticator{Path: path}
				require.NoError(b, a.Reload(b.Context()))
			}
		})
	}
}
