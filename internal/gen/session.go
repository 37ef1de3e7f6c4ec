package main

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
)

// sessionFile is the picture in the README.
const sessionFile = ".github/session.svg"

// session is what is typed there, in a folder with these files.
var (
	session = []string{
		"registryctl user add elton",
		"registryctl user list",
		"registryctl check",
		"registryctl user import team.csv --dry-run",
		"registryctl user import team.csv",
	}
	sessionFiles = map[string]string{
		"auth/registry.htpasswd": "gordon:$apr1$3zG0yZ3P$sP0Y1Jq4RyQ4oqpcN3pVm/\n",
		"team.csv":               "name,password\nelton,d0cker\nfrancis,r3gL4b\ngordon,sw0rdfish\n",
	}
	sessionPassword = "d0cker" // whatever asks for one
)

// drawSession runs the session, by this program, and draws what a person would see.
func drawSession() ([]byte, error) {
	dir, err := os.MkdirTemp("", "session-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for temporary files
	for name, text := range sessionFiles {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	var lines []string
	for _, command := range session {
		seen, err := record(dir, strings.Fields(command))
		if err != nil {
			return nil, err
		}
		if lines != nil {
			lines = append(lines, "")
		}
		lines = append(lines, "$ "+command)
		lines = append(lines, strings.Split(strings.TrimSuffix(seen, "\n"), "\n")...)
	}
	return draw(append(lines, "", "$")), nil
}

// Sizes of the picture, in pixels.
const (
	charWidth  = 7.8 // of most fonts at 13 pixels; a line is stretched to it
	lineHeight = 20
	margin     = 24
	titleBar   = 42
)

const style = `
  .frame { fill: #1b2028; stroke: #3a4250; }
  .button { fill: #454e5d; }
  text { font: 13px ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace; fill: #c5cdd9; white-space: pre; }
  .typed { fill: #ffffff; font-weight: 600; }
  .prompt { fill: #8fce94; }
`

// draw sets the lines in a window, whose colours go with a dark and with a light page.
func draw(lines []string) []byte {
	columns := 0
	for _, line := range lines {
		columns = max(columns, len(line))
	}
	width := 2*margin + int(float64(columns)*charWidth) + 1
	height := titleBar + len(lines)*lineHeight + margin

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="title">`+"\n", width, height)
	fmt.Fprintf(&b, "<title id=\"title\">A terminal, in which somebody types: %s</title>\n", html.EscapeString(strings.Join(session, "; ")))
	fmt.Fprintf(&b, "<style>%s</style>\n", style)
	fmt.Fprintf(&b, `<rect class="frame" x="0.5" y="0.5" width="%d" height="%d" rx="9"/>`+"\n", width-1, height-1)
	for i := range 3 {
		fmt.Fprintf(&b, `<circle class="button" cx="%d" cy="21" r="5.5"/>`+"\n", margin+6+i*19)
	}
	for i, line := range lines {
		if line == "" {
			continue
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" textLength="%.1f" xml:space="preserve">%s</text>`+"\n",
			margin, titleBar+(i+1)*lineHeight-6, float64(len(line))*charWidth, styled(line))
	}
	fmt.Fprintf(&b, `<rect class="button" x="%d" y="%d" width="8" height="15"/>`+"\n", margin+16, height-margin-18) // the cursor
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// styled is the line as a terminal shows it: what is typed stands out.
func styled(line string) string {
	if command, ok := strings.CutPrefix(line, "$ "); ok {
		return `<tspan class="prompt">$</tspan> <tspan class="typed">` + html.EscapeString(command) + `</tspan>`
	}
	return html.EscapeString(line)
}
