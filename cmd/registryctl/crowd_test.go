package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/testserver"
)

// None of the edits that many processes make at once is lost, no user that
// they do not name is touched, and who reads the file meanwhile sees a whole one.
func TestCrowd(t *testing.T) {
	const processes = 64
	// So many that to write them takes a while.
	var bystanders string
	for i := range 1000 {
		bystanders += line(fmt.Sprint("bystander", i))
	}
	user := func(i int) string { return fmt.Sprint("user", i) }
	lines := func(from, to int) (text []string) {
		for i := from; i < to; i++ {
			text = append(text, user(i)+":"+hashNumber(i)+"\n")
		}
		slices.Sort(text)
		return text
	}
	add := func(i int) []string { return []string{"user", "add", user(i), "--hash", hashNumber(i)} }

	for _, tt := range []struct {
		name   string
		before string // after the bystanders
		edit   func(i int) []string
		after  []string // lines, sorted
	}{
		{
			name:  "add",
			edit:  add,
			after: lines(0, processes),
		},
		{
			name:   "remove",
			before: strings.Join(lines(0, processes), ""),
			edit:   func(i int) []string { return []string{"user", "remove", user(i)} },
		},
		{
			name:   "add and remove",
			before: strings.Join(lines(0, processes/2), ""),
			edit: func(i int) []string {
				if i < processes/2 {
					return []string{"user", "remove", user(i)}
				}
				return add(i)
			},
			after: lines(processes/2, processes),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := create(t, bystanders+tt.before)
			crowd(t, file, bystanders, processes, tt.edit)
			text := contents(t, file)
			require.True(t, strings.HasPrefix(text, bystanders))
			assert.Equal(t, tt.after, slices.Sorted(strings.Lines(text[len(bystanders):])))
		})
	}

	t.Run("change the same user", func(t *testing.T) {
		file := create(t, bystanders+line("elton"))
		crowd(t, file, bystanders, processes, func(i int) []string {
			return []string{"user", "passwd", "elton", "--hash", hashNumber(i)}
		})
		text, ok := strings.CutPrefix(contents(t, file), bystanders)
		require.True(t, ok)
		var one []string
		for i := range processes {
			one = append(one, "elton:"+hashNumber(i)+"\n")
		}
		assert.Contains(t, one, text)
	})

	t.Run("create", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "htpasswd")
		crowd(t, file, "", processes, add)
		assert.Equal(t, lines(0, processes), slices.Sorted(strings.Lines(contents(t, file))))
	})
}

// crowd makes the edits at once, each of which has to work, and reads the file
// until all are made.
func crowd(t *testing.T, file, bystanders string, processes int, edit func(i int) []string) {
	t.Helper()
	program := testserver.Build(t)
	var editors, reader sync.WaitGroup
	done := make(chan struct{})
	reader.Go(func() { readUntil(t, done, file, bystanders) })
	for i := range processes {
		editors.Go(func() {
			o := run(t, append([]string{program, "--lock-timeout", "60s", "-f", file}, edit(i)...)...)
			assert.Zero(t, o.status, o.stderr)
		})
	}
	editors.Wait()
	close(done)
	reader.Wait()
	assert.Empty(t, litter(t, file))
}

var wholeLines = regexp.MustCompile(`\A(\w+:\$2y\$04\$[./0-9A-Za-z]{53}\n)*\z`)

// readUntil reads the file and counts the reads that saw less than a whole one.
func readUntil(t *testing.T, done <-chan struct{}, file, bystanders string) {
	reads, torn := 0, 0
	for exists := bystanders != ""; ; {
		select {
		case <-done:
			t.Logf("%d reads, %d of them torn", reads, torn)
			assert.Positive(t, reads)
			assert.Zero(t, torn)
			return
		default:
		}
		f, err := htpasswd.FileStore{Path: file}.Read(t.Context())
		if !exists && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		exists = true
		reads++
		var text strings.Builder
		if err == nil {
			_, err = f.WriteTo(&text)
		}
		rest, ok := strings.CutPrefix(text.String(), bystanders)
		if err != nil || !ok || !wholeLines.MatchString(rest) {
			torn++
		}
	}
}
