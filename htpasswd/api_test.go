package htpasswd

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/api.txt")

// What the public packages export stands in testdata/api.txt, so that a change
// of it is seen in review. After one: go test ./htpasswd -run TestAPI -update
func TestAPI(t *testing.T) {
	const list = "../testdata/api.txt"
	var api bytes.Buffer
	for _, dir := range []string{".", "lint", "basicauth"} {
		fmt.Fprintf(&api, "package %s\n\n", strings.TrimSuffix("htpasswd/"+dir, "/."))
		for _, declaration := range exported(t, dir) {
			fmt.Fprintf(&api, "%s\n", declaration)
		}
		api.WriteByte('\n')
	}
	if *update {
		require.NoError(t, os.WriteFile(list, api.Bytes(), 0o644))
	}
	want, err := os.ReadFile(list)
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), api.String())
}

// exported returns the exported declarations of a package without comments and
// bodies, sorted.
func exported(t *testing.T, dir string) (declarations []string) {
	t.Helper()
	pkg, err := build.ImportDir(dir, 0)
	require.NoError(t, err)
	for _, name := range pkg.GoFiles {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, filepath.Join(dir, name), nil, 0)
		require.NoError(t, err)
		ast.FileExports(file)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				d.Body = nil
			case *ast.GenDecl:
				if d.Tok == token.IMPORT {
					continue
				}
			}
			var text bytes.Buffer
			require.NoError(t, printer.Fprint(&text, files, d))
			declarations = append(declarations, text.String())
		}
	}
	slices.Sort(declarations)
	return declarations
}
