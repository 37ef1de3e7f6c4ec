package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// compareLoading measures how long it takes to open a file of a million users, and
// what of the heap that takes then.
func compareLoading(r *report, path string) {
	const users = 1_000_000
	size := putUsers(path, users)
	var times, sizes []float64
	for _, lib := range all {
		seconds, megabytes := measureLoading(lib, path)
		times, sizes = append(times, seconds), append(sizes, megabytes)
	}
	r.header(fmt.Sprintf("a file of %.0f MB, %d users", float64(size)/1e6, users), "ours to the best", "wanted")
	row := func(what string, got []float64) {
		ratio := got[0] / slices.Min(got[1:])
		r.want(ratio < 1, "%s: %.2f times the best of the others", what, ratio)
		cells := []string{what}
		for _, n := range got {
			cells = append(cells, fmt.Sprintf("%.2f", n))
		}
		r.row(append(cells, fmt.Sprintf("%.2f ×", ratio), "< 1 ×")...)
	}
	row("load, seconds", times)
	row("heap in use, MB", sizes)
}

// putUsers makes path a file of so many users, no two of whom have one salt, and
// returns its size in bytes.
func putUsers(path string, users int) int {
	h := hash(password, 5)
	var text strings.Builder
	for i := range users {
		fmt.Fprintf(&text, "user%07d:%s%022d%s\n", i, h[:len("$2y$05$")], i, h[len("$2y$05$")+22:])
	}
	put(path, text.String())
	return text.Len()
}

// measureLoading returns the best time of three, and what of the heap is in use
// then; a MB is 10^6 bytes.
func measureLoading(lib library, path string) (seconds, megabytes float64) {
	for range 3 {
		before := heap()
		start := time.Now()
		login := open(lib, path)
		if took := time.Since(start).Seconds(); seconds == 0 || took < seconds {
			seconds = took
		}
		megabytes = float64(heap()-before) / 1e6
		runtime.KeepAlive(login)
	}
	return seconds, megabytes
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // for what pools and finalizers held during the first one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
