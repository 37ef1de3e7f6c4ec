// Command image writes the container image of a release: the program alone, with
// nothing beneath it, for each architecture of Linux that it was built for. Run it
// in the root of the repository, after goreleaser.
//
//	go run ./internal/image DIST DIR
//
// DIST is goreleaser's folder, and DIR becomes an OCI image layout, which "crane
// push --index" takes. The image is of the time in SOURCE_DATE_EPOCH, in seconds, so
// that the same commit gives the same bytes.
package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: image DIST DIR")
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	b, err := readBuild(args[0])
	if err != nil {
		return err
	}
	return writeLayout(args[1], b, time.Unix(seconds, 0).UTC())
}

// A build is what goreleaser has built.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	programs []program
	license  []byte
}

// A program is the binary for an architecture, by its name in Go.
type program struct {
	Path string `json:"path"`
	OS   string `json:"goos"`
	Arch string `json:"goarch"`
	Type string `json:"type"`
}

func readBuild(dist string) (b build, err error) {
	if err := readJSON(filepath.Join(dist, "metadata.json"), &b); err != nil {
		return b, err
	}
	if err := readJSON(filepath.Join(dist, "artifacts.json"), &b.programs); err != nil {
		return b, err
	}
	b.programs = slices.DeleteFunc(b.programs, func(p program) bool { return p.Type != "Binary" || p.OS != "linux" })
	if len(b.programs) == 0 {
		return b, fmt.Errorf("%s has no program for Linux", dist)
	}
	slices.SortFunc(b.programs, func(p, q program) int { return cmp.Compare(p.Arch, q.Arch) })
	b.license, err = os.ReadFile("LICENSE")
	return b, err
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// layer is the file system of the image. Apache's name is on PATH as well, so that
// "docker run --entrypoint htpasswd" does what it did with the images of old.
func layer(binary, license []byte, created time.Time) ([]byte, error) {
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for _, f := range []struct {
		tar.Header
		content []byte
	}{
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: "usr/", Mode: 0o755}},
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: "usr/bin/", Mode: 0o755}},
		{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/htpasswd", Linkname: "registryctl", Mode: 0o777}},
		{Header: tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/registryctl", Mode: 0o755}, content: binary},
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: "usr/share/", Mode: 0o755}},
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: "usr/share/doc/", Mode: 0o755}},
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: "usr/share/doc/registryctl/", Mode: 0o755}},
		{Header: tar.Header{Typeflag: tar.TypeReg, Name: "usr/share/doc/registryctl/LICENSE", Mode: 0o644}, content: license},
	} {
		f.Format, f.ModTime, f.Size = tar.FormatUSTAR, created, int64(len(f.content))
		if err := w.WriteHeader(&f.Header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return text.Bytes(), err
}

// The documents of an image, as in https://github.com/opencontainers/image-spec.
type (
	descriptor struct {
		MediaType string    `json:"mediaType"`
		Digest    string    `json:"digest"`
		Size      int       `json:"size"`
		Platform  *platform `json:"platform,omitempty"`
	}
	platform struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	}
	index struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Manifests     []descriptor      `json:"manifests"`
		Annotations   map[string]string `json:"annotations"`
	}
	manifest struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}
	config struct {
		platform
		Created time.Time `json:"created"`
		Config  process   `json:"config"`
		RootFS  rootFS    `json:"rootfs"`
	}
	process struct {
		Env        []string
		Entrypoint []string
		WorkingDir string
		Labels     map[string]string
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
)

const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// writeLayout makes the folder, which must not be there.
func writeLayout(dir string, b build, created time.Time) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	labels := map[string]string{
		"org.opencontainers.image.created":     created.Format(time.RFC3339),
		"org.opencontainers.image.description": "Manage the htpasswd users of a private Docker registry",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.revision":    b.Commit,
		"org.opencontainers.image.source":      "https://github.com/registryctl/registryctl",
		"org.opencontainers.image.title":       "registryctl",
		"org.opencontainers.image.version":     b.Version,
	}
	top := index{SchemaVersion: 2, MediaType: typeIndex, Annotations: labels}
	for _, p := range b.programs {
		image, err := writeImage(blobs, p, b.license, labels, created)
		if err != nil {
			return err
		}
		top.Manifests = append(top.Manifests, image)
	}
	text, err := json.Marshal(top)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), text, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

func writeImage(blobs string, p program, license []byte, labels map[string]string, created time.Time) (descriptor, error) {
	binary, err := os.ReadFile(p.Path)
	if err != nil {
		return descriptor{}, err
	}
	files, err := layer(binary, license, created)
	if err != nil {
		return descriptor{}, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(files); err != nil {
		return descriptor{}, err
	}
	if err := w.Close(); err != nil {
		return descriptor{}, err
	}
	layer, err := writeBlob(blobs, typeLayer, packed.Bytes())
	if err != nil {
		return descriptor{}, err
	}
	target := platform{Architecture: p.Arch, OS: p.OS}
	config, err := writeDocument(blobs, typeConfig, config{
		platform: target,
		Created:  created,
		// In the root, so that the default file is that of a mounted /auth.
		Config: process{Env: []string{"PATH=/usr/bin"}, Entrypoint: []string{"registryctl"}, WorkingDir: "/", Labels: labels},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{digest(files)}},
	})
	if err != nil {
		return descriptor{}, err
	}
	image, err := writeDocument(blobs, typeManifest, manifest{SchemaVersion: 2, MediaType: typeManifest, Config: config, Layers: []descriptor{layer}})
	image.Platform = &target
	return image, err
}

func writeDocument(blobs, mediaType string, v any) (descriptor, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	return writeBlob(blobs, mediaType, text)
}

func writeBlob(blobs, mediaType string, content []byte) (descriptor, error) {
	d := descriptor{MediaType: mediaType, Digest: digest(content), Size: len(content)}
	return d, os.WriteFile(filepath.Join(blobs, d.Digest[len("sha256:"):]), content, 0o644)
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }
