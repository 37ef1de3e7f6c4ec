// Package man writes manual pages of commands. It is linked into no program that
// is released.
package man

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Write writes a page for each command into the folder, which it makes: compressed,
// as packages install them, and without a time, so that the same commands give the
// same bytes. Their date is the day of SOURCE_DATE_EPOCH, or else today.
func Write(dir string, root *cobra.Command) error {
	date, err := pageDate()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, cmd := range everyCommand(root) {
		var page bytes.Buffer
		w := gzip.NewWriter(&page)
		_, err := w.Write(manPage(cmd, date))
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, pageName(cmd)+".1.gz"), page.Bytes(), 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pageDate is the day of SOURCE_DATE_EPOCH, the seconds that a reproducible build
// takes for now, or else today.
func pageDate() (string, error) {
	now := time.Now()
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return "", fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		now = time.Unix(seconds, 0)
	}
	return now.UTC().Format(time.DateOnly), nil
}

func everyCommand(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, everyCommand(sub)...)
	}
	return all
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the page of a command, for roff's man macros.
func manPage(cmd *cobra.Command, date string) []byte {
	p := &page{}
	name, root := pageName(cmd), cmd.Root()
	p.line(`.TH %s 1 %s %s ""`, strings.ToUpper(literal(name)), date, root.Name())
	p.line(".nh\n.ad l")
	p.section("Name")
	p.line(`%s \- %s`, literal(name), text(strings.ToLower(cmd.Short[:1])+cmd.Short[1:]))

	usage, description, options, exit := split(cmd.Long + "\n\n" + exitText(cmd))
	p.section("Synopsis")
	if usage == nil {
		usage = []string{usageLine(cmd)}
		for _, alias := range cmd.Aliases {
			usage = append(usage, strings.Replace(usageLine(cmd), " "+cmd.Name(), " "+alias, 1))
		}
	}
	for i, line := range usage {
		if i > 0 {
			p.line(".br")
		}
		p.line("%s", synopsis(line))
	}
	p.section("Description")
	p.paragraphs(description)
	if cmd.HasAvailableSubCommands() {
		p.section("Commands")
		var rows [][2]string
		for _, sub := range cmd.Commands() {
			rows = append(rows, [2]string{sub.Name(), sub.Short})
		}
		p.table(rows)
	}
	p.section("Options")
	p.paragraphs(options)
	p.flags(cmd.LocalFlags())
	if !cmd.DisableFlagParsing && cmd != root {
		p.line(`.SS "Of every command"`)
		p.flags(cmd.InheritedFlags())
	}
	p.section("Examples")
	p.line(".nf\n%s\n.fi", literal(examples(cmd)))

	p.section("Exit status")
	if exit == nil {
		exit = []string{"0 done."}
	}
	p.paragraphs(exit)
	if cmd != root {
		p.gap()
		p.line("For the others see\n%s.", reference(pageName(root)))
	}
	p.places(cmd)
	p.section("See also")
	p.seeAlso(cmd)
	return p.Bytes()
}

// split tells apart what has a section of its own in a help text.
func split(help string) (usage, description, options, exit []string) {
	for _, paragraph := range strings.Split(strings.TrimSpace(help), "\n\n") {
		switch {
		case strings.HasPrefix(paragraph, "Usage:"):
			usage = strings.Split(paragraph, "\n")[1:]
		case strings.HasPrefix(paragraph, "  -") && !strings.HasPrefix(paragraph, "  - "):
			options = append(options, paragraph)
		case paragraph == "Exit status:": // a table follows
			exit = []string{}
		case strings.HasPrefix(paragraph, "Exit status:"), exit != nil:
			exit = append(exit, strings.TrimPrefix(paragraph, "Exit status:"))
		default:
			description = append(description, paragraph)
		}
	}
	return usage, description, options, exit
}

// examples are those of the help, without the lines for PowerShell, which has no
// man pages, unless there are no others.
func examples(cmd *cobra.Command) string {
	var lines []string
	for _, line := range strings.Split(cmd.Example, "\n") {
		if !strings.HasSuffix(line, "# PowerShell") {
			lines = append(lines, line)
		}
	}
	if lines == nil {
		return cmd.Example
	}
	return strings.Join(lines, "\n")
}

// A page is what has been written of one.
type page struct {
	bytes.Buffer
	begun bool // the section has text
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
	p.begun = true
}

func (p *page) section(title string) {
	p.line(".SH %s", strings.ToUpper(strconv.Quote(title)))
	p.begun = false
}

// gap stands between two paragraphs.
func (p *page) gap() {
	if p.begun {
		p.line(".P")
	}
}

func (p *page) item(term, text string) { p.line(".TP\n%s\n%s", term, text) }

var (
	bullet = regexp.MustCompile(`^  - `)
	row    = regexp.MustCompile(`^  (\S.*?)  +(\S.*)`)
)

// paragraphs sets those of a help text: those that are indented there are bullets
// or the rows of a table, with a deeper indent where they go on, or else lines to
// type, and the others are filled.
func (p *page) paragraphs(all []string) {
	for _, paragraph := range all {
		lines := strings.Split(paragraph, "\n")
		switch {
		case bullet.MatchString(lines[0]):
			for _, item := range strings.Split("\n"+paragraph, "\n  - ")[1:] {
				p.line(".IP \\(bu 3\n%s", text(strings.Join(strings.Fields(item), " ")))
			}
		case row.MatchString(lines[0]):
			var rows [][2]string
			for _, line := range lines {
				if m := row.FindStringSubmatch(line); m != nil {
					rows = append(rows, [2]string{m[1], m[2]})
				} else {
					rows[len(rows)-1][1] += " " + strings.TrimSpace(line)
				}
			}
			p.table(rows)
		case strings.HasPrefix(lines[0], "  "):
			p.gap()
			p.line(".nf\n%s\n.fi", literal(paragraph))
		default:
			p.gap()
			p.line("%s", text(strings.TrimSpace(strings.Join(lines, " "))))
		}
	}
}

// table sets rows of a term and what it means, close together.
func (p *page) table(rows [][2]string) {
	width := 0
	for _, row := range rows {
		width = max(width, len(row[0]))
	}
	p.gap()
	p.line(".PD 0")
	for _, row := range rows {
		p.line(".TP %dn\n\\fB%s\\fR\n%s", width+2, literal(row[0]), text(row[1]))
	}
	p.line(".PD")
}

func (p *page) flags(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		names, value := flagNames(f)
		term := `\fB` + strings.ReplaceAll(literal(names), ", ", `\fR, \fB`) + `\fR`
		if value != "" {
			term += ` \fI` + literal(value) + `\fR`
		}
		p.item(term, text(flagUsage(f)))
	})
}

// places are the sections of the files and the environment, as far as they mean
// something to the command.
func (p *page) places(cmd *cobra.Command) {
	const lock = "The lock of the file NAME, beside it. It is empty, and stays."
	path := cmd.CommandPath() + " "
	switch flags := cmd.Root().PersistentFlags(); {
	case flags.Lookup("kubeconfig") != nil:
		p.section("Environment")
		p.item(`\fBKUBECONFIG\fR`, "The files that say which clusters there are, where\n\\fB\\-\\-kubeconfig\\fR does not name another.")
	case cmd.DisableFlagParsing:
		p.section("Files")
		p.item(`\fI.passwordfile.lock\fR`, strings.ReplaceAll(lock, "NAME", "passwordfile"))
	case cmd.HasParent() && !strings.Contains(path, " user ") && !strings.Contains(path, " check "):
	default:
		p.section("Files")
		p.item(`\fIauth/registry.htpasswd\fR`, "The file, where nothing names another. The first user makes it, and its folder.")
		p.item(`\fI.NAME.lock\fR`, lock)
		p.section("Environment")
		p.item(`\fBREGISTRY_AUTH_HTPASSWD_PATH\fR`, "The registry's own variable: the file, where\n\\fB\\-\\-file\\fR does not name another.")
	}
	if cmd.Flags().Lookup("registry") != nil {
		p.item(`\fBHTTPS_PROXY\fR, \fBHTTP_PROXY\fR, \fBNO_PROXY\fR`, text("How a registry on another machine is reached."))
	}
}

// seeAlso refers to the pages around this one, and to that of Apache's program.
func (p *page) seeAlso(cmd *cobra.Command) {
	others := cmd.Commands()
	if cmd.HasParent() {
		others = append([]*cobra.Command{cmd.Parent()}, cmd.Parent().Commands()...)
		others = append(others, cmd.Commands()...)
	}
	var pages []string
	for _, other := range others {
		if other != cmd {
			pages = append(pages, reference(pageName(other)))
		}
	}
	if cmd.DisableFlagParsing {
		pages = append(pages, reference("htpasswd"))
	}
	p.line("%s", strings.Join(pages, ",\n"))
}

func reference(page string) string { return `\fB` + literal(page) + `\fR(1)` }

// literal keeps roff from taking a character for anything but itself.
func literal(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`).Replace(s)
	return strings.ReplaceAll("\n"+s, "\n.", "\n\\&.")[1:]
}

var (
	option      = regexp.MustCompile(`(^|[\s(])((?:\\-){1,2}[A-Za-z0-9][A-Za-z]*(?:\\-[a-z]+)*)`)
	placeholder = regexp.MustCompile(`\b[A-Z]{2,}\b`)
)

// text is literal with the options in bold.
func text(s string) string { return option.ReplaceAllString(literal(s), `$1\fB$2\fR`) }

// synopsis is a command line: the words as they are typed in bold, and what stands
// for others in italics.
func synopsis(line string) string {
	line = strings.TrimSpace(line)
	end := strings.IndexAny(line+"[", "[ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	return `\fB` + literal(line[:end]) + `\fR` + placeholder.ReplaceAllString(literal(line[end:]), `\fI$0\fR`)
}

func exitText(cmd *cobra.Command) string {
	if text := cmd.Annotations["exit"]; text != "" {
		return "Exit status:\n\n  " + strings.ReplaceAll(text, "\n", "\n  ")
	}
	return ""
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

func flagNames(f *pflag.Flag) (names, value string) {
	names = "--" + f.Name
	if f.Shorthand != "" {
		names = "-" + f.Shorthand + ", " + names
	}
	value, _ = pflag.UnquoteUsage(f)
	return names, value
}

func flagUsage(f *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(f)
	return usage
}
