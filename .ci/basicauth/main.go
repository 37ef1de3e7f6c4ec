// Command basicauth measures htpasswd/basicauth beside the Go libraries that
// servers use today. It prints what each does with a file that changes, a table of
// the times and sizes, and exits 1 where ours does not keep what it promises.
//
// It takes about 90 seconds on two cores, which nothing else should use meanwhile.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// measured are the modules whose versions matter.
var measured = []string{"github.com/abbot/go-http-auth", "github.com/tg123/go-htpasswd", "golang.org/x/crypto"}

func main() {
	if !compare() {
		os.Exit(1)
	}
}

func compare() (ok bool) {
	dir, err := os.MkdirTemp("", "basicauth")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	r := &report{table: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	fmt.Printf("%s, %s, %d cores\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU())
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if slices.Contains(measured, m.Path) {
				fmt.Println(m.Path, m.Version)
			}
		}
	}

	for _, part := range []func(*report, string){compareBehaviour, compareLogins, compareLoading, flood} {
		fmt.Println()
		start := time.Now()
		part(r, filepath.Join(dir, "htpasswd"))
		check(r.table.Flush())
		fmt.Printf("(%.0f s)\n", time.Since(start).Seconds())
	}
	for _, missed := range r.missed {
		fmt.Println("MISSED:", missed)
	}
	return len(r.missed) == 0
}

// A report prints rows and keeps what ours should have done and has not.
type report struct {
	table  *tabwriter.Writer
	missed []string
}

// header begins a table of all libraries.
func (r *report) header(what string, more ...string) {
	cells := []string{what}
	for _, lib := range all {
		cells = append(cells, lib.name)
	}
	r.row(append(cells, more...)...)
}

func (r *report) row(cells ...string) { fmt.Fprintln(r.table, strings.Join(cells, "\t")) }

func (r *report) want(ok bool, format string, args ...any) {
	if !ok {
		r.missed = append(r.missed, fmt.Sprintf(format, args...))
	}
}

// check ends the program for an error that makes measuring pointless.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
