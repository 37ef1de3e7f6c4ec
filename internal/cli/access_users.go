package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/access"
	"github.com/registryctl/registryctl/internal/crypt"
)

// grantsFlags are the flags --grants and --access, of the commands that remove and rename
// users.
type grantsFlags struct {
	access pathFlag
	along  bool
}

func (g *grantsFlags) register(cmd *cobra.Command, p *Program, usage string) {
	if p.AccessFile {
		cmd.Flags().BoolVar(&g.along, "grants", false, usage)
		registerAccess(cmd, &g.access)
	}
}

// open returns the access file, or nil if there can be none. One that was named must
// exist, and one that is to be edited must be readable.
func (g grantsFlags) open(p *Program, users Text) (*rightsFile, error) {
	if !p.AccessFile || users.File == "" && g.access == "" && !g.along {
		return nil, nil
	}
	r, err := openRights(g.access, users)
	if err != nil {
		return nil, err
	}
	if g.access == "" && !g.along {
		return &r, nil
	}
	switch _, err := r.readIfAny(); {
	case isMissing(err):
		return nil, err
	case err != nil && g.along:
		return nil, fmt.Errorf("cannot change the grants: %w", err)
	}
	return &r, nil
}

// follow edits the grants of users who were removed or renamed, or, without --grants,
// warns of the grants that remain.
func (g grantsFlags) follow(ctx context.Context, r *rightsFile, users []string, done string, edit func(*access.File)) error {
	if r == nil {
		return nil
	}
	f, err := r.readIfAny()
	switch {
	case err != nil && g.along:
		return fmt.Errorf("cannot change the grants: %w", err)
	case err != nil:
		r.program.Warn("cannot tell which grants remain: %v", err)
		return nil
	case f == nil:
		return nil
	}
	for _, user := range users {
		if lines := f.Mentions(user); len(lines) > 0 && !g.along {
			numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(lines), " ", ", "), "[]") // such as 3, 5
			r.program.Warn("%s still names %s on line %s; with --grants it would have been changed, too", r.Path, shown(user), numbers)
		}
	}
	if !g.along {
		return nil
	}
	edit(f)
	changed := f.Changed()
	if r.users.DryRun == DryRunNone {
		changed, err = r.update(ctx, false, func(f *access.File) error {
			edit(f)
			return nil
		})
	}
	if !made(err) {
		return fmt.Errorf("cannot change the grants: %w", err)
	}
	if changed {
		r.program.done(r.users, "%s in %s", done, r.Path)
	}
	return err
}

// A grantFinding is a problem that "check" found in the access file. It is part of the
// JSON output: no field may change its name or meaning.
type grantFinding struct {
	Severity string `json:"severity"` // "error" if the token server refuses the file, else "warning"
	File     string `json:"file"`
	Line     int    `json:"line"` // 0: none
	User     string `json:"user"`
	Message  string `json:"message"`
}

// findingsOfGrants returns the findings about the access file, if there is one.
func findingsOfGrants(r *rightsFile, users *htpasswd.File) []grantFinding {
	findings := []grantFinding{}
	if r == nil {
		return findings
	}
	f, err := r.readIfAny()
	if bad, ok := errors.AsType[*access.ParseError](err); ok {
		return append(findings, grantFinding{Severity: "error", File: r.Path, Line: bad.Line, Message: bad.Err.Error()})
	}
	if err != nil {
		return append(findings, grantFinding{Severity: "error", File: r.Path, Message: err.Error()})
	}
	if f == nil {
		return findings
	}
	entries := lastEntries(users, nil)
	exists := func(user string) bool {
		_, ok := entries[user]
		return ok
	}
	for _, problem := range f.Problems(exists) {
		findings = append(findings, grantFinding{"warning", r.Path, problem.Line, crypt.Redact(problem.User), problem.Message})
	}
	for _, user := range usersWithoutRights(users, entries, f.Rights()) {
		findings = append(findings, grantFinding{"warning", r.Path, 0, crypt.Redact(user), "the user has no rights"})
	}
	return findings
}

// usersWithoutRights returns the users, but for the disabled ones, who may do nothing.
func usersWithoutRights(users *htpasswd.File, entries map[string]htpasswd.Entry, rights *access.Rights) (names []string) {
	for user := range users.Users() {
		if !rights.Any(user) && !isDisabled(entries[user]) {
			names = append(names, user)
		}
	}
	return names
}

// writeGrantFindings writes the findings, or only the errors.
func writeGrantFindings(w io.Writer, findings []grantFinding, onlyErrors bool) {
	for _, f := range findings {
		if onlyErrors && f.Severity != "error" {
			continue
		}
		user := ""
		if f.User != "" {
			user = "user " + shown(f.User) + ": "
		}
		fmt.Fprintf(w, "%s: %s: %s%s [grant]\n", location(f.File, f.Line), f.Severity, user, oneLine(f.Message))
	}
}
