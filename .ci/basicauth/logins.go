package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	password = "d0cker"

	// noise is how much slower a first login of ours may seem and still count as
	// no slower: it is the same bcrypt, whose single times differ by more than this.
	noise = 0.05
	// repeated is how many times as many logins a second are wanted at cost 10 of
	// users who have logged in before.
	repeated = 10_000
)

// compareLogins measures logins one after the other.
func compareLogins(r *report, path string) {
	r.header("logins a second, one at a time", "ours to the best", "wanted")
	for _, c := range []struct {
		cost, users int
		rounds      int // of first logins, with a file opened anew
		again       int // logins with each of the others
		least       float64
	}{
		{10, 1, 10, 10, repeated},
		{10, 100, 1, 10, repeated},
		{4, 10_000, 1, 500, 1},
	} {
		first, again := measureLogins(path, c.cost, c.users, c.rounds, c.again)
		row := func(which string, times []time.Duration, least float64) {
			label := fmt.Sprintf("cost %d, users: %d, %s", c.cost, c.users, which)
			ratio := float64(slices.Min(times[1:])) / float64(times[0])
			r.want(ratio >= least, "%s: %.2f times the best of the others, not %.2f", label, ratio, least)
			cells := []string{label}
			for _, t := range times {
				cells = append(cells, fmt.Sprintf("%.1f", 1/t.Seconds()))
			}
			r.row(append(cells, fmt.Sprintf("%.2f ×", ratio), fmt.Sprintf("≥ %.2f ×", least))...)
		}
		row("first", first, 1-noise)
		row("again", again, c.least)
	}
	compareUnknown(r, path)
}

// measureLogins returns the median time of a first login with each library, and
// the mean of one that is repeated. The libraries take turns, so that what else
// the machine does meets all of them.
func measureLogins(path string, cost, users, rounds, repeats int) (first, again []time.Duration) {
	var text strings.Builder
	h := hash(password, cost)
	names := make([]string, users)
	for i := range names {
		names[i] = fmt.Sprint("user", i)
		fmt.Fprintf(&text, "%s:%s\n", names[i], h)
	}
	put(path, text.String())
	logins := make([]func(user, password string) bool, len(all))
	login := func(lib int, name string) time.Duration {
		start := time.Now()
		if !logins[lib](name, password) {
			check(fmt.Errorf("%s refuses %s", all[lib].name, name))
		}
		return time.Since(start)
	}
	times := make([][]time.Duration, len(all))
	for range rounds {
		for i, lib := range all {
			logins[i] = open(lib, path)
		}
		for n, name := range names {
			for i := range all {
				lib := (i + n) % len(all)
				times[lib] = append(times[lib], login(lib, name))
			}
		}
	}
	for lib := range all {
		first = append(first, median(times[lib]))
		n := repeats
		if all[lib].name == ours.name {
			n = 300_000 // they take as long as a few of the others
		}
		start := time.Now()
		for i := range n {
			login(lib, names[i%users])
		}
		again = append(again, time.Since(start)/time.Duration(n))
	}
	return first, again
}

// compareUnknown measures how long it takes to refuse a user who is not there, to
// the time that a wrong password takes.
func compareUnknown(r *report, path string) {
	put(path, "elton:"+hash(password, 4)+"\n")
	cells := []string{"refusing an unknown user, to a wrong password"}
	for _, lib := range all {
		login := open(lib, path)
		times := map[string][]time.Duration{}
		for i := range 300 {
			for _, user := range []string{"elton", "nobody"} {
				start := time.Now()
				login(user, fmt.Sprint("wrong", i))
				times[user] = append(times[user], time.Since(start))
			}
		}
		ratio := median(times["nobody"]).Seconds() / median(times["elton"]).Seconds()
		if lib.name == ours.name {
			r.want(ratio > 1-noise && ratio < 1+noise, "%s: %.3f × the time", cells[0], ratio)
		}
		cells = append(cells, fmt.Sprintf("%.3f ×", ratio))
	}
	r.row(append(cells, "", fmt.Sprintf("%.2f to %.2f ×", 1-noise, 1+noise))...)
}

func median(times []time.Duration) time.Duration { return percentile(times, 50) }

func percentile(times []time.Duration, percent int) time.Duration {
	slices.Sort(times)
	return times[(len(times)-1)*percent/100]
}
