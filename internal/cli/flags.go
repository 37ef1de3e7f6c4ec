package cli

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

// A pathFlag is the path of a file. An empty path, which comes from a variable that is
// not set, is refused, because it would mean the default file.
type pathFlag string

func (p *pathFlag) String() string { return string(*p) }
func (p *pathFlag) Type() string   { return "path" }

func (p *pathFlag) Set(s string) error {
	if s == "" {
		return emptyValue
	}
	path, err := systemPath(s)
	*p = pathFlag(path)
	return err
}

// emptyValue is the problem of an empty value, such as that of a variable that is not
// set.
const emptyValue = FlagProblem("must not be empty")

// quotedPath is the problem of a path with a quotation mark, on Windows.
const quotedPath = FlagProblem(`must not contain a "`)

// A NonEmpty is the value of a flag that must not be empty.
type NonEmpty string

func (n *NonEmpty) String() string { return string(*n) }

// Type is for package pflag.
func (n *NonEmpty) Type() string { return "string" }

// Set is for package pflag.
func (n *NonEmpty) Set(s string) error {
	if s == "" {
		return emptyValue
	}
	*n = NonEmpty(s)
	return nil
}

// A Duration is the value of a flag: a time that is not negative.
type Duration time.Duration

func (d *Duration) String() string { return time.Duration(*d).String() }

// Type is for package pflag.
func (d *Duration) Type() string { return "duration" }

// Set is for package pflag.
func (d *Duration) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return FlagProblem("must be a duration such as 100ms or 10s")
	}
	*d = Duration(v)
	return nil
}

// A costFlag is --cost; 0 if it is not given.
type costFlag int

func (c *costFlag) String() string { return strconv.Itoa(int(*c)) }
func (c *costFlag) Type() string   { return "int" }

func (c *costFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < htpasswd.MinCost || n > htpasswd.MaxCost {
		return FlagProblem(fmt.Sprintf("must be a number from %d to %d", htpasswd.MinCost, htpasswd.MaxCost))
	}
	*c = costFlag(n)
	return nil
}

func (c *costFlag) register(cmd *cobra.Command) {
	cmd.Flags().Var(c, "cost", fmt.Sprintf("bcrypt cost `N`, %d to %d (default %d)", htpasswd.MinCost, htpasswd.MaxCost, htpasswd.DefaultCost))
	cmd.Flags().Lookup("cost").DefValue = ""
}

// of returns the cost of the hash that replaces old: that of --cost, or else the
// default, but not less than the cost of old.
func (c costFlag) of(old htpasswd.Hash) int {
	if c != 0 {
		return int(c)
	}
	cost, _ := old.Cost()
	return max(cost, htpasswd.DefaultCost)
}

// A formatFlag names one of several formats. Its initial value is the default.
type formatFlag struct {
	value   string
	allowed []string
}

func (o *formatFlag) String() string { return o.value }
func (o *formatFlag) Type() string   { return "format" }

func (o *formatFlag) Set(s string) error {
	if !slices.Contains(o.allowed, s) {
		return FlagProblem("must be one of " + strings.Join(o.allowed, ", "))
	}
	o.value = s
	return nil
}

func (o *formatFlag) register(cmd *cobra.Command, name, shorthand, usage string) {
	cmd.Flags().VarP(o, name, shorthand, usage+strings.Join(o.allowed, ", "))
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(o.allowed, cobra.ShellCompDirectiveNoFileComp))
}

func (o *formatFlag) registerOutput(cmd *cobra.Command) {
	o.register(cmd, "output", "o", "`FORMAT` of the output: ")
}

// registerEdit is registerOutput for a command that edits. Such a command can also
// print the object that holds the text, if the program has Manifests.
func (o *formatFlag) registerEdit(cmd *cobra.Command, p *Program) {
	for _, manifest := range p.Manifests {
		if !slices.Contains(o.allowed, manifest) {
			o.allowed = append(o.allowed, manifest)
		}
	}
	if len(o.allowed) > 0 {
		o.registerOutput(cmd)
	}
}

// manifest returns the format in which the object is printed, or "" if it is not.
func (o *formatFlag) manifest(p *Program) string {
	if slices.Contains(p.Manifests, o.value) {
		return o.value
	}
	return ""
}

// A modeFlag is --mode, in octal; 0 if it is not given.
type modeFlag fs.FileMode

func (m *modeFlag) String() string {
	if *m == 0 {
		return ""
	}
	return fmt.Sprintf("%04o", uint32(*m))
}

func (m *modeFlag) Type() string { return "octal" }

func (m *modeFlag) Set(s string) error {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n&^0o777 != 0 || n&0o600 != 0o600 {
		return FlagProblem("must be an octal mode that lets the owner read and write, such as 0640")
	}
	*m = modeFlag(n)
	return nil
}

// A DryRun says how much of an edit is done.
type DryRun string

// The values of --dry-run.
const (
	DryRunNone   DryRun = ""
	DryRunClient DryRun = "client" // nothing is written
	DryRunServer DryRun = "server" // the store tries the edit and does not keep it
)

// note returns what is added to a message about an edit.
func (d DryRun) note() string {
	return map[DryRun]string{DryRunClient: " (dry run)", DryRunServer: " (server dry run)"}[d]
}

// A dryRunFlag is --dry-run.
type dryRunFlag struct {
	value  DryRun
	server bool // DryRunServer is allowed
}

func (d *dryRunFlag) String() string { return string(d.value) }

// Type is "boolfunc" for a flag without a value, which is how pflag prints it.
func (d *dryRunFlag) Type() string {
	if d.server {
		return "how"
	}
	return "boolfunc"
}

func (d *dryRunFlag) Set(s string) error {
	value, ok := map[string]DryRun{"client": DryRunClient, "none": DryRunNone, "server": DryRunServer}[s]
	if is, err := strconv.ParseBool(s); err == nil {
		ok = true
		if is {
			value = DryRunClient
		}
	}
	switch {
	case ok && (value != DryRunServer || d.server):
		d.value = value
		return nil
	case d.server:
		return FlagProblem("must be client, server or none")
	}
	return FlagProblem("takes no value")
}

func (d *dryRunFlag) register(cmd *cobra.Command, p *Program) {
	d.server = p.ServerDryRun
	usage := "show what would be done, and write nothing"
	if d.server {
		usage += "; =server: let the server check it too"
	}
	cmd.Flags().Var(d, "dry-run", usage)
	cmd.Flags().Lookup("dry-run").NoOptDefVal = "true"
	values := []string{"none", string(DryRunClient)}
	if d.server {
		values = append(values, string(DryRunServer))
	}
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if p.EditFlags != nil {
		p.EditFlags(cmd)
	}
}
