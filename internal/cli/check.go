package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
)

func (a *app) newCheck() *cobra.Command {
	c := check{app: a}
	var servers []string
	format := formatFlag{value: "text", allowed: []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what a server would make of the file",
		Long: `Say what the registry, nginx or Apache httpd would make of the file: a finding
a line, an error where somebody who is listed cannot log in.

--fix makes the file right for the registry where that needs no guess: UTF-16
and byte order marks, carriage returns alone, glued lines, blanks, duplicates
(the last line stays), a missing newline. A line that is no entry becomes a
comment. --dry-run says what it would do.`,
		Annotations: more(`"-o json" is {file, findings: [{kind, server, severity, line, column, user,
message, hint}], changes: [{kind, line, done}]}.

Exit status:

  0  everybody listed can log in
  7  somebody cannot, or with --strict: there is a warning`),
		Example: `  registryctl check
  registryctl check --for registry --for nginx -f auth/registry.htpasswd
  registryctl check --fix`,
		Args:              noOperands,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&servers, "for", []string{string(lint.Registry)}, "SERVER: registry, nginx or apache")
	flags.BoolVar(&c.fix, "fix", false, "mend what needs no guess")
	flags.BoolVar(&c.dryRun, "dry-run", false, "with --fix: only say what it would do")
	flags.BoolVar(&c.strict, "strict", false, "exit 7 for a warning as well")
	format.registerOutput(cmd)
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"registry", "nginx", "apache"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, s := range servers {
			if !slices.Contains(lint.Servers(), lint.Server(s)) {
				return fail(exitUsage, "it takes registry, nginx and apache", "--for does not know %q", s)
			}
			c.servers = append(c.servers, lint.Server(s))
		}
		if c.dryRun && !c.fix {
			return fail(exitUsage, "without --fix nothing is changed anyway", "--dry-run goes with --fix")
		}
		c.json = format.value == "json"
		return c.run(cmd)
	}
	return cmd
}

// A check is one run of the command.
type check struct {
	app                       *app
	servers                   []lint.Server
	fix, dryRun, strict, json bool
}

// A checkReport is the JSON output: no field may change its name or meaning.
type checkReport struct {
	File     string         `json:"file"`
	Findings []lint.Finding `json:"findings"`
	Changes  []lint.Change  `json:"changes"` // what --fix did, or would do
}

func (c check) run(cmd *cobra.Command) error {
	t := c.app.open()
	if c.fix && !c.dryRun {
		t = c.app.openForEdit()
	}
	text, err := t.text(cmd.Context())
	if err != nil {
		return fmt.Errorf("cannot check the file: %w", err)
	}
	report := checkReport{File: t.name, Findings: []lint.Finding{}, Changes: []lint.Change{}}
	if c.fix {
		var fixed []byte
		fix := func(text []byte) []byte {
			var changes []lint.Change
			fixed, changes = lint.Fix(text)
			report.Changes = append(report.Changes[:0], changes...)
			return fixed
		}
		if c.dryRun {
			fix(text)
		} else {
			if _, err = t.Update(cmd.Context(), func(f *htpasswd.File) error { return f.Reset(fix(f.Bytes())) }); !made(err) {
				return fmt.Errorf("cannot fix the file: %w", err)
			}
			text = fixed // what is there now, whoever has edited it since it was read
		}
	}
	for _, server := range c.servers {
		report.Findings = append(report.Findings, lint.Check(text, server)...)
		if info, err := os.Stat(t.path); t.path != "" && err == nil {
			report.Findings = append(report.Findings, checkMode(info, server)...)
		}
	}
	for i, f := range report.Findings { // the JSON has them all
		report.Findings[i].Hint = c.app.translate(f.Hint)
	}
	if err := c.write(t, report); err != nil {
		return err
	}
	return cmp.Or(err, c.verdict(t, report))
}

// write writes the report; where standard output holds the mended file, to
// standard error.
func (c check) write(t target, report checkReport) error {
	var out bytes.Buffer
	if c.json {
		if err := writeJSON(&out, report); err != nil {
			return err
		}
	} else {
		c.writeText(&out, report)
	}
	if t.isStream && c.fix && !c.dryRun {
		_, err := c.app.err.Write(out.Bytes())
		return err
	}
	return c.app.print(out.Bytes())
}

func (c check) writeText(w io.Writer, report checkReport) {
	verb := "fixed"
	if c.dryRun || c.app.dryRunNote() != "" {
		verb = "would fix"
	}
	for _, change := range report.Changes {
		fmt.Fprintf(w, "%s: %s: %s [%s]\n", location(report.File, change.Line), verb, oneLine(change.Done), change.Kind)
	}
	for _, f := range report.Findings {
		user := ""
		if f.User != "" {
			user = fmt.Sprintf("user %q: ", f.User)
		}
		fmt.Fprintf(w, "%s: %s: %s%s [%s]\n", location(report.File, f.Line), f.Severity, user, f.Message, f.Kind)
	}
}

func location(file string, line int) string {
	if line == 0 {
		return oneLine(file)
	}
	return fmt.Sprintf("%s:%d", oneLine(file), line)
}

// verdict is the error of a file that is not right.
func (c check) verdict(t target, report checkReport) error {
	count := make(map[lint.Severity]int)
	hint := ""
	for _, f := range report.Findings {
		count[f.Severity]++
		if f.Severity == lint.Error && hint == "" {
			hint = f.Hint
		}
	}
	errors, warnings := count[lint.Error], count[lint.Warning]
	if errors > 0 || c.strict && warnings > 0 {
		return fail(exitFormat, hint, "%s: %s and %s", t.name, counted(errors, "error"), counted(warnings, "warning"))
	}
	c.app.say("%s: everybody listed can log in; %s", t.name, counted(warnings, "warning"))
	return nil
}

// counted is "1 error", "2 errors".
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
