package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/crypt"
)

// checkOptions are the flags of "check".
type checkOptions struct {
	text        Text
	servers     []string
	fix, strict bool
	dryRun      dryRunFlag
	format      formatFlag
	access      pathFlag
	rights      *rightsFile
}

// NewCheck returns the command that looks for problems in the text.
func NewCheck(p *Program) *cobra.Command {
	o := checkOptions{format: formatFlag{value: "text", allowed: []string{"text", "json"}}}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the file for problems",
		Long: `Check the file for problems with the registry or another server. Prints one
finding per line. An error means that a listed user cannot log in; a disabled
user causes none.

The registry, nginx, Apache httpd and lighttpd see an edit at the next request.
zot up to 2.1.20 does not notice that a file was replaced, and needs a restart;
later versions see an edit within a second. Traefik reads the file only when it
starts.

--fix corrects for the registry what is unambiguous: UTF-16 and byte order
marks, lone carriage returns, missing line endings between records, whitespace,
duplicates (the last line stays), a missing final newline. A line that is not an
entry becomes a comment. It never changes who can log in with which password.
--dry-run shows what would be done.

"-o json" is {file, findings: [{kind, server, severity, line, column, user,
message, hint, remedy}], changes: [{kind, line, done}], grants: [{severity,
file, line, user, message}]}. The grants are the problems of the access file.`,
		Annotations: exits(`0  every listed user can log in
7  a listed user cannot log in; with --strict, also if there is a warning`),
		Example:           p.examplesOf(p.Name, "check", "check --for registry --for nginx", "check --fix"),
		Args:              noOperands,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.servers, "for", []string{string(lint.Registry)}, "`SERVER` to check for: "+strings.Join(serverNames(), ", "))
	flags.BoolVar(&o.fix, "fix", false, "fix what is unambiguous")
	flags.BoolVar(&o.strict, "strict", false, "exit 7 for a warning as well")
	o.dryRun.register(cmd, p)
	if p.AccessFile {
		registerAccess(cmd, &o.access)
	}
	o.format.registerEdit(cmd, p)
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(serverNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		for _, s := range o.servers {
			if !slices.Contains(lint.Servers(), lint.Server(s)) {
				return Misuse("", "--for must be one of %s", strings.Join(serverNames(), ", "))
			}
		}
		if o.dryRun.value != DryRunNone && !o.fix {
			return Misuse("without --fix nothing is changed anyway", "--dry-run needs --fix")
		}
		open := OpenOptions{DryRun: o.dryRun.value}
		if o.format.value != "json" { // which is that of the report
			open.Manifest = o.format.manifest(p)
		}
		if open.Manifest != "" && !o.fix {
			return Misuse("", "-o %s needs --fix", o.format.value)
		}
		if o.fix {
			open.Access = ToEdit
		}
		if o.text, err = p.open(open); err != nil {
			return err
		}
		if o.rights, err = (grantsFlags{access: o.access}).open(p, o.text); err != nil && o.access != "" {
			return err
		}
		return check(cmd.Context(), p, o)
	}
	return cmd
}

// newFileCheck is NewCheck with the file as an argument.
func newFileCheck(p *Program) *cobra.Command {
	cmd := NewCheck(p)
	cmd.Use = "check [FILE]"
	cmd.ValidArgsFunction = nil // files
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return nil
		case len(args) > 1 || cmd.Flags().Changed("file"):
			return Misuse("put a path with spaces in quotes", "%s takes one file", cmd.CommandPath())
		}
		if err := cmd.Flags().Set("file", args[0]); err != nil {
			return p.flagError(cmd, err)
		}
		return nil
	}
	return cmd
}

func serverNames() (names []string) {
	for _, server := range lint.Servers() {
		names = append(names, string(server))
	}
	return names
}

// unseen says of the servers that do not see every edit what they need.
var unseen = map[lint.Server]string{
	lint.Zot:     "zot up to 2.1.20 does not notice that the file was replaced: restart it after an edit",
	lint.Traefik: "Traefik reads the file only when it starts: restart it after an edit",
}

// A checkReport is the JSON output: no field may change its name or meaning.
type checkReport struct {
	File     string         `json:"file"`
	Findings []lint.Finding `json:"findings"`
	Changes  []lint.Change  `json:"changes"` // what --fix did, or would do
	Grants   []grantFinding `json:"grants"`

	disabled int // users
}

func check(ctx context.Context, p *Program, o checkOptions) error {
	report := checkReport{File: o.text.Name, Findings: []lint.Finding{}, Changes: []lint.Change{}}
	f, err := o.text.Read(ctx)
	if f == nil {
		return fmt.Errorf("cannot check the file: %w", err)
	}
	var editErr error
	if o.fix {
		_, editErr = o.text.Update(ctx, func(now *htpasswd.File) error {
			fixed, changes, err := lint.Fix(ctx, now.Text())
			if err != nil {
				return notFixed(err)
			}
			if err := now.Reset(fixed); err != nil {
				return notFixed(err)
			}
			report.Changes = append(report.Changes[:0], changes...)
			f = now // whoever has edited it since it was read
			return nil
		})
		if !made(editErr) && !errors.As(editErr, new(unfixable)) {
			return fmt.Errorf("cannot fix the file: %w", editErr)
		}
	}
	for _, name := range o.servers {
		findings, err := findingsOf(ctx, p, o.text, f.Text(), lint.Server(name))
		if err != nil {
			return fmt.Errorf("cannot check the file: %w", err)
		}
		report.Findings = append(report.Findings, findings...)
	}
	report.Grants = findingsOfGrants(o.rights, f)
	report.disabled = countDisabled(f)
	if err := o.write(p, report); err != nil {
		return err
	}
	for _, name := range o.servers {
		if note, ok := unseen[lint.Server(name)]; ok {
			p.Say("%s", note)
		}
	}
	return cmp.Or(editErr, verdictOf(p, o, report))
}

// countDisabled returns how many users are disabled by their last line.
func countDisabled(f *htpasswd.File) int {
	disabled := make(map[string]bool) // and no map of all users: few are
	for e := range f.All() {
		if isDisabled(e) {
			disabled[e.User] = true
		} else {
			delete(disabled, e.User)
		}
	}
	return len(disabled)
}

// An unfixable is the reason why --fix leaves a file as it is. What is wrong with
// the file is said all the same.
type unfixable struct{ error }

func (e unfixable) Unwrap() error { return e.error }

func notFixed(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return unfixable{fail(exitFormat, "nothing was changed; the findings say what is wrong with each line", "%w", err)}
}

func findingsOf(ctx context.Context, p *Program, t Text, text string, server lint.Server) ([]lint.Finding, error) {
	findings, err := lint.Check(ctx, text, server)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(t.File); t.File != "" && err == nil {
		findings = append(findings, checkMode(info, server)...)
	}
	for i, f := range findings {
		findings[i].Hint = cmp.Or(remedy(p, f), f.Hint)
	}
	return findings, nil
}

// remedy returns the command that repairs what was found, if one command does.
func remedy(p *Program, f lint.Finding) string {
	switch user := f.User; {
	case f.Remedy == lint.RemedyFix:
		return p.command("check --fix")
	case user == "" || crypt.HoldsHash(user):
		return "" // a command with a secret in it
	case f.Remedy == lint.RemedyPassword:
		return p.userCommand("passwd", user)
	case f.Remedy == lint.RemedyRemove:
		return p.userCommand("remove", user)
	}
	return ""
}

// merged returns the findings that differ in more than their server, with the
// servers of each.
func (r checkReport) merged() (findings []lint.Finding, servers map[lint.Finding][]string) {
	servers = make(map[lint.Finding][]string)
	for _, f := range r.Findings {
		server := string(f.Server)
		f.Server = ""
		if servers[f] == nil {
			findings = append(findings, f)
		}
		servers[f] = append(servers[f], server)
	}
	return findings, servers
}

// write prints the report; where standard output holds the fixed file, to standard
// error.
func (o checkOptions) write(p *Program, r checkReport) error {
	var out bytes.Buffer
	if o.format.value == "json" {
		out.Write(jsonText(r))
	} else {
		o.writeText(&out, p, r)
	}
	if o.text.Manifest != "" || o.text.ToStdout && o.fix && o.dryRun.value == DryRunNone {
		_, err := p.Stderr.Write(out.Bytes())
		return err
	}
	return p.Print(out.Bytes())
}

func (o checkOptions) writeText(w io.Writer, p *Program, r checkReport) {
	verb := "fixed"
	if o.dryRun.value != DryRunNone {
		verb = "would fix"
	}
	for _, change := range r.Changes {
		fmt.Fprintf(w, "%s: %s: %s [%s]\n", location(r.File, change.Line), verb, oneLine(change.Done), change.Kind)
	}
	onlyErrors := p.quiet && !o.strict
	findings, servers := r.merged()
	for _, f := range findings {
		if onlyErrors && f.Severity == lint.SeverityWarning {
			continue
		}
		user, at := "", ""
		if f.User != "" {
			user = fmt.Sprintf("user %s: ", shown(f.User))
		}
		if len(o.servers) > 1 {
			at = " (" + strings.Join(servers[f], ", ") + ")"
		}
		if f.Kind == lint.DockerUser {
			f.Message += ": " + f.Hint
		}
		fmt.Fprintf(w, "%s: %s: %s%s%s [%s]\n", location(r.File, f.Line), f.Severity, user, f.Message, at, f.Kind)
	}
	writeGrantFindings(w, r.Grants, onlyErrors)
}

func location(file string, line int) string {
	if line == 0 {
		return oneLine(file)
	}
	return fmt.Sprintf("%s:%d", oneLine(file), line)
}

// verdictOf is the error of a file that is not right. It says how many findings
// --fix would repair; the hint is the command for these, or for the first of the
// others.
func verdictOf(p *Program, o checkOptions, r checkReport) error {
	count := make(map[lint.Severity]int)
	fixable, hint := 0, ""
	findings, _ := r.merged()
	for _, f := range findings {
		count[f.Severity]++
		if f.Remedy == lint.RemedyFix {
			fixable++
		}
		if f.Severity == lint.SeverityError && hint == "" {
			hint = f.Hint
		}
	}
	for _, f := range r.Grants {
		count[lint.Severity(f.Severity)]++
		if lint.Severity(f.Severity) == lint.SeverityError && hint == "" {
			hint = editAccessFile
		}
	}
	note := ""
	if fixable > 0 {
		note = fmt.Sprintf("; --fix would fix %d", fixable)
		hint = p.command("check --fix")
	}
	failures, warnings := count[lint.SeverityError], count[lint.SeverityWarning]
	if failures > 0 || o.strict && warnings > 0 {
		return fail(exitFormat, hint, "%s: %s and %s%s", r.File, counted(failures, "error"), counted(warnings, "warning"), note)
	}
	except := ""
	if r.disabled > 0 {
		except = fmt.Sprintf(", except %d disabled", r.disabled)
	}
	p.Say("%s: every listed user can log in%s; %s%s", r.File, except, counted(warnings, "warning"), note)
	return nil
}

// counted is "1 error", "2 errors".
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
