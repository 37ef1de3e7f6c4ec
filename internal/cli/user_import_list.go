package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/registryctl/registryctl/internal/userlist"
)

// readList reads the list that an import is given.
func readList(ctx context.Context, p *Program, o importOptions) ([]userlist.User, error) {
	name := o.list
	if name == "-" {
		name = "standard input"
		if isTerminal(p.Stdin) {
			return nil, Misuse("name a file, or pipe the list into the command", "no list to import")
		}
	}
	text, err := await(ctx, func() (string, error) { return readText(p.Stdin, o) })
	if err != nil {
		return nil, err
	}
	list, err := userlist.Parse(text, userlist.Options{
		Name:            o.list,
		Format:          userlist.Format(o.format.value),
		Generate:        o.generate,
		SkipUnsupported: o.skipUnsupported,
	})
	var bad *userlist.Error
	switch {
	case errors.Is(err, userlist.ErrAmbiguous):
		return nil, Misuse("use --format csv if it is a header, or --format lines if it is a user", "cannot read %s: %w", name, err)
	case errors.As(err, &bad):
		return nil, badEntries{name, bad}
	case err != nil:
		return nil, Misuse("", "cannot read %s: %w", name, err)
	}
	if len(list) == 0 {
		if o.prune && !o.allowEmpty {
			return nil, Misuse("add --allow-empty if that is intended", "%s lists no users, and --prune would remove every user", name)
		}
		p.Warn("%s lists no users", name)
	}
	return list, nil
}

// readText reads the list up to its maximum size.
func readText(stdin io.Reader, o importOptions) (string, error) {
	in, size := stdin, int64(0)
	if o.list != "-" {
		f, err := openFile(o.list)
		if err != nil {
			return "", cannotRead(o.list, err)
		}
		defer f.Close()
		in = f
	}
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	limit := int64(o.maxSize)
	var text strings.Builder
	text.Grow(int(min(size, limit)) + 1)
	n, err := io.Copy(&text, io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return "", cannotRead(o.list, err)
	case n > limit:
		return "", Misuse("use --max-size to raise the limit", "the list is larger than %v", &o.maxSize)
	}
	return text.String(), nil
}

// cannotRead returns the error for a list that cannot be read. It repeats the name only
// if that cannot be the list itself, given by mistake.
func cannotRead(list string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	name := strings.TrimPrefix(list, filepath.VolumeName(list))
	if strings.ContainsAny(name, ":\r\n") {
		return Fail("name a file, or pipe the list into the command", "cannot read the list: %w", err)
	}
	return Fail("", "cannot read the list %s: %w", list, err)
}

// badEntries is the error for a list with bad entries.
type badEntries struct {
	list     string
	problems *userlist.Error
}

func (b badEntries) Error() string { return b.list + ": " + b.problems.Error() }
func (b badEntries) Unwrap() error { return b.problems }

// lines returns the messages: the first entries, and how many there are.
func (b badEntries) lines() []string {
	const most = 10
	var lines []string
	for _, p := range b.problems.Problems[:min(len(b.problems.Problems), most)] {
		lines = append(lines, fmt.Sprintf("%s:%d: %v", b.list, p.Line, p))
	}
	count := "1 bad entry"
	if n := len(b.problems.Problems); n > 1 {
		count = fmt.Sprintf("%d bad entries", n)
	}
	return append(lines, fmt.Sprintf("%s has %s; nothing was written", b.list, count))
}

// A sizeFlag is a number of bytes.
type sizeFlag int64

// defaultMaxSize is larger than any real list.
const defaultMaxSize sizeFlag = 256 << 20

var sizeUnits = []struct {
	name  string
	shift int
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"G", 30}, {"M", 20}, {"K", 10}}

func (s *sizeFlag) Type() string { return "size" }

func (s *sizeFlag) String() string {
	for _, unit := range sizeUnits {
		if n := int64(*s) >> unit.shift; n > 0 && n<<unit.shift == int64(*s) {
			return fmt.Sprintf("%d%s", n, unit.name)
		}
	}
	return strconv.FormatInt(int64(*s), 10) + " bytes"
}

func (s *sizeFlag) Set(text string) error {
	number, shift := text, 0
	for _, unit := range sizeUnits {
		if before, ok := strings.CutSuffix(text, unit.name); ok {
			number, shift = before, unit.shift
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 62-shift) // one byte more is read
	if err != nil {
		return FlagProblem("must be a size in bytes, or a size such as 512MiB")
	}
	*s = sizeFlag(n << shift)
	return nil
}
