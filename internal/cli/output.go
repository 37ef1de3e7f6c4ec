package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// errOutput is in the errors of print: what was asked for could not be written.
var errOutput = errors.New("cannot write to standard output")

// print writes what was asked for to standard output.
func (a *app) print(data []byte) error {
	if _, err := a.out.Write(data); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

// printable shows a name from a file so that it can neither move the cursor,
// break a line nor hide a blank: quoted and escaped if there is anything of that
// kind.
func printable(name string) string {
	if name == "" || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(name)
	}
	return name
}

// writeJSON writes v as a machine reads it and a person can.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// A formatFlag is -o, with what it takes. The value is the default at first.
type formatFlag struct {
	value   string
	allowed []string
}

func (o *formatFlag) String() string { return o.value }
func (o *formatFlag) Type() string   { return "format" }

func (o *formatFlag) Set(s string) error {
	if !slices.Contains(o.allowed, s) {
		return flagProblem("takes " + strings.Join(o.allowed, ", "))
	}
	o.value = s
	return nil
}

func (o *formatFlag) register(cmd *cobra.Command) {
	cmd.Flags().VarP(o, "output", "o", strings.Join(o.allowed, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(o.allowed, cobra.ShellCompDirectiveNoFileComp))
}
