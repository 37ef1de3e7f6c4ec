package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inRepository makes the working directory look like that of a release.
func inRepository(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"LICENSE":            "a license",
		"dist/amd64/program": "for amd64",
		"dist/arm64/program": "for arm64",
		"dist/metadata.json": `{"version": "1.2.3", "commit": "c0ffee", "date": "2026-01-02T03:04:05Z"}`,
		"dist/artifacts.json": `[
			{"path": "dist/arm64/program", "goos": "linux", "goarch": "arm64", "type": "Binary"},
			{"path": "dist/amd64/program", "goos": "linux", "goarch": "amd64", "type": "Binary"},
			{"path": "dist/x.tar.gz", "goos": "linux", "goarch": "amd64", "type": "Archive"},
			{"path": "dist/absent.exe", "goos": "windows", "goarch": "amd64", "type": "Binary"}
		]`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1780000000")
}

// blob reads what the descriptor says, and checks that it is that.
func blob(t *testing.T, d descriptor) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("image/blobs", strings.Replace(d.Digest, ":", "/", 1)))
	require.NoError(t, err)
	assert.Equal(t, d.Digest, digest(content))
	assert.Len(t, content, d.Size)
	return content
}

func TestImageHoldsTheProgramUnderBothNames(t *testing.T) {
	inRepository(t)
	require.NoError(t, run([]string{"dist", "image"}))

	var top index
	require.NoError(t, readJSON("image/index.json", &top))
	assert.Equal(t, "1.2.3", top.Annotations["org.opencontainers.image.version"])
	assert.Equal(t, "c0ffee", top.Annotations["org.opencontainers.image.revision"])
	require.Len(t, top.Manifests, 2)
	for i, arch := range []string{"amd64", "arm64"} {
		assert.Equal(t, &platform{Architecture: arch, OS: "linux"}, top.Manifests[i].Platform)
		var m manifest
		require.NoError(t, json.Unmarshal(blob(t, top.Manifests[i]), &m))
		var c config
		require.NoError(t, json.Unmarshal(blob(t, m.Config), &c))
		assert.Equal(t, arch, c.Architecture)
		assert.Equal(t, []string{"registryctl"}, c.Config.Entrypoint)
		assert.Equal(t, []string{"PATH=/usr/bin"}, c.Config.Env)
		assert.Equal(t, "2026-05-28T20:26:40Z", c.Created.Format("2006-01-02T15:04:05Z07:00"))

		require.Len(t, m.Layers, 1)
		r, err := gzip.NewReader(bytes.NewReader(blob(t, m.Layers[0])))
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, []string{digest(text)}, c.RootFS.DiffIDs)
		files := make(map[string]string)
		for r := tar.NewReader(bytes.NewReader(text)); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			content, err := io.ReadAll(r)
			require.NoError(t, err)
			files[h.Name] = h.Linkname + string(content)
		}
		assert.Equal(t, map[string]string{
			"usr/": "", "usr/bin/": "", "usr/share/": "", "usr/share/doc/": "", "usr/share/doc/registryctl/": "",
			"usr/bin/registryctl":               "for " + arch,
			"usr/bin/htpasswd":                  "registryctl",
			"usr/share/doc/registryctl/LICENSE": "a license",
		}, files)
	}
}

func TestImageIsTheSameEachTime(t *testing.T) {
	var images [2][]byte
	for i := range images {
		inRepository(t)
		require.NoError(t, run([]string{"dist", "image"}))
		text, err := os.ReadFile("image/index.json") // it has the digests of all the rest
		require.NoError(t, err)
		images[i] = text
	}
	assert.Equal(t, string(images[0]), string(images[1]))
}

func TestImageNeedsATimeAPlaceAndAProgram(t *testing.T) {
	inRepository(t)
	require.NoError(t, os.Mkdir("there", 0o700))
	assert.ErrorIs(t, run([]string{"dist", "there"}), fs.ErrExist)
	assert.ErrorIs(t, run([]string{"absent", "image"}), fs.ErrNotExist)
	require.NoError(t, os.WriteFile("dist/artifacts.json", []byte("[]"), 0o600))
	assert.ErrorContains(t, run([]string{"dist", "image"}), "no program for Linux")
	t.Setenv("SOURCE_DATE_EPOCH", "")
	assert.ErrorContains(t, run([]string{"dist", "image"}), "SOURCE_DATE_EPOCH")
}
