package cli

import (
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

// flagProblem is what a flag of our own says of a bad value, without repeating it.
type flagProblem string

func (p flagProblem) Error() string { return string(p) }

// A pathFlag is the path of a file. An empty one, of a variable that is not set,
// is refused: it would mean the default file.
type pathFlag string

func (p *pathFlag) String() string { return string(*p) }
func (p *pathFlag) Type() string   { return "path" }

func (p *pathFlag) Set(s string) error {
	if s == "" {
		return flagProblem("needs a path, and got an empty one")
	}
	*p = pathFlag(s)
	return nil
}

// A durationFlag is a time that is not negative.
type durationFlag time.Duration

func (d *durationFlag) String() string { return time.Duration(*d).String() }
func (d *durationFlag) Type() string   { return "duration" }

func (d *durationFlag) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return flagProblem("takes a time such as 100ms or 10s")
	}
	*d = durationFlag(v)
	return nil
}

// costFlag is --cost: of the hashes to make.
type costFlag struct {
	value int
	given bool
}

func (c *costFlag) String() string { return strconv.Itoa(c.value) }
func (c *costFlag) Type() string   { return "int" }

func (c *costFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < htpasswd.MinCost || n > htpasswd.MaxCost {
		return flagProblem(fmt.Sprintf("takes a number from %d to %d", htpasswd.MinCost, htpasswd.MaxCost))
	}
	c.value, c.given = n, true
	return nil
}

func (c *costFlag) register(cmd *cobra.Command) {
	c.value = htpasswd.DefaultCost
	cmd.Flags().Var(c, "cost", fmt.Sprintf("bcrypt cost N, %d to %d", htpasswd.MinCost, htpasswd.MaxCost))
}

// of is the cost of a new hash in the place of the old one: what --cost says,
// else the default, but never less than there was, which can be more than is
// written here.
func (c *costFlag) of(old htpasswd.Hash) int {
	if cost, ok := old.Cost(); ok && !c.given {
		return max(cost, c.value)
	}
	return c.value
}

// A formatFlag names one of several formats. The value is the default at first.
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

func (o *formatFlag) register(cmd *cobra.Command, name, shorthand, usage string) {
	cmd.Flags().VarP(o, name, shorthand, usage+strings.Join(o.allowed, ", "))
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(o.allowed, cobra.ShellCompDirectiveNoFileComp))
}

func (o *formatFlag) registerOutput(cmd *cobra.Command) { o.register(cmd, "output", "o", "") }

// modeFlag is --mode, in octal.
type modeFlag fs.FileMode

func (m *modeFlag) String() string { return fmt.Sprintf("%04o", uint32(*m)) }
func (m *modeFlag) Type() string   { return "octal" }

func (m *modeFlag) Set(s string) error {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n&^0o777 != 0 || n&0o600 != 0o600 {
		return flagProblem("takes an octal mode that lets the owner read and write, such as 0640")
	}
	*m = modeFlag(n)
	return nil
}

func (m *modeFlag) perm() fs.FileMode { return fs.FileMode(*m) }

func (m *modeFlag) register(cmd *cobra.Command, a *app) {
	*m = 0o600
	if a.other != nil { // whose texts are no files
		return
	}
	cmd.Flags().Var(m, "mode", "MODE of a new file, in octal")
}

// check refuses the flag where a mode means nothing.
func (m *modeFlag) check(cmd *cobra.Command, a *app) error {
	switch {
	case !cmd.Flags().Changed("mode"):
	case runtime.GOOS == "windows":
		return fail(exitUsage, "the file takes the access list of its folder", "--mode does not work on Windows")
	case a.file == "-":
		return fail(exitUsage, "", "--mode needs a file, not standard input")
	}
	return nil
}
