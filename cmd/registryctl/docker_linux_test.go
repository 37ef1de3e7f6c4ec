package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// readmeLines are the lines of the first block of the README in a language that has
// this text.
func readmeLines(t *testing.T, language, has string) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, b := range readmeBlocks(string(readme)) {
		if b.language == language && strings.Contains(strings.Join(b.lines, "\n"), has) {
			return b.lines
		}
	}
	require.Fail(t, "not in the README", has)
	return nil
}

// TestFirstMinute follows the README from an empty directory to an image that is
// pushed and pulled, and to a user who is removed while the registry runs.
func TestFirstMinute(t *testing.T) {
	for _, shell := range [][]string{{"bash", "-c"}, {"pwsh", "-NoLogo", "-NoProfile", "-Command"}} {
		t.Run(shell[0], func(t *testing.T) { firstMinute(t, shell) })
	}
}

func firstMinute(t *testing.T, shell []string) {
	e := startEngine(t)
	testserver.Need(t, shell[0])
	program := testserver.Build(t)
	port := testserver.FreePort(t)
	address := "localhost:" + port
	here := strings.NewReplacer("registry:3", e.registryImage(), "--name registry", "--name "+e.name,
		"-p 5000:5000", "-p 127.0.0.1:"+port+":5000", "localhost:5000", address)
	e.removed(e.name)
	typed := func(line string) string {
		status, seen := atTerminal(t, program, e.dir, append(slices.Clip(shell), here.Replace(line))...)
		require.Zero(t, status, "%s\n%s", line, seen)
		return seen
	}
	for _, line := range readmeLines(t, "sh", "docker run") {
		if strings.HasPrefix(line, "go install ") {
			continue // built already
		}
		seen := typed(line)
		switch {
		case strings.HasPrefix(line, "docker run "):
			e.awaitRegistry(port)
		case strings.HasPrefix(line, "docker login "):
			assert.Contains(t, seen, "Login Succeeded")
		}
	}

	hello := e.hello(address)
	e.ok("docker", "push", hello)
	e.ok("docker", "rmi", hello)
	e.ok("docker", "pull", hello)

	for _, line := range readmeLines(t, "sh", "user remove francis") {
		typed(line)
		err := e.login(address, "francis", "secret")
		if strings.Contains(line, " add ") {
			require.NoError(t, err)
			e.ok("docker", "pull", hello)
			continue
		}
		assert.ErrorContains(t, err, "401 Unauthorized")
		said, err := e.run("docker", "pull", hello)
		assert.Error(t, err)
		assert.Contains(t, said, "unauthorized: authentication required")
	}
	require.NoError(t, e.login(address, "elton", "secret"))
}

// TestReadmeCompose starts the services of the README before there is a user. The
// registry restarts until there is one, whom the service users adds.
func TestReadmeCompose(t *testing.T) {
	e := startEngine(t)
	port := testserver.FreePort(t)
	address := "localhost:" + port
	example := strings.Join(readmeLines(t, "yaml", "services:"), "\n")
	assert.Contains(t, example, "docker compose run --rm users add elton")
	example = strings.NewReplacer("ghcr.io/registryctl/registryctl", e.registryctlImage(), "registry:3", e.registryImage(),
		"5000:5000", "127.0.0.1:"+port+":5000").Replace(example)
	// docker-compose 1 takes a file without a version for one of another kind.
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "compose.yaml"), []byte("version: \"3.8\"\n"+example+"\n"), 0o600))
	compose := e.compose() // after the images, which can be removed only then
	e.ok(append(compose, "up", "-d")...)
	logs := ""
	require.Eventually(t, func() bool {
		logs = e.ok(append(compose, "logs", "--no-color", "registry")...)
		return strings.Contains(logs, "read-only file system")
	}, time.Minute, 100*time.Millisecond)
	assert.Contains(t, logs, "failed to open htpasswd path open /auth/registry.htpasswd: read-only file system")
	all := e.ok("docker", "ps", "-a", "--filter", "label=com.docker.compose.project="+e.name, "--format", "{{.Label \"com.docker.compose.service\"}}")
	assert.Equal(t, "registry\n", all, "users is started only when it is named")

	status, seen := atTerminal(t, testserver.Build(t), e.dir, append(compose, "run", "--rm", "users", "add", "elton")...)
	require.Zero(t, status, seen)
	assert.Contains(t, seen, `added "elton" to auth/registry.htpasswd`)
	assert.NotContains(t, seen, "be lost with this container")
	e.awaitRegistry(port)
	require.NoError(t, e.login(address, "elton", "secret"))
	hello := e.hello(address)
	e.ok("docker", "push", hello)

	// The images are still there in another container.
	e.ok(append(compose, "down")...)
	e.ok("docker", "rmi", hello)
	e.ok(append(compose, "up", "-d")...)
	e.awaitRegistry(port)
	e.ok("docker", "pull", hello)
}

// TestReadmeTokens serves tokens to a registry, with the lines of the README: elton
// may push, francis only pull.
func TestReadmeTokens(t *testing.T) {
	e := startEngine(t)
	program := testserver.Build(t)
	port, tokens := testserver.FreePort(t), testserver.FreePort(t)
	address := "localhost:" + port
	require.NoError(t, os.Mkdir(filepath.Join(e.dir, "auth"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "auth", "registry.htpasswd"), []byte(editable), 0o600))
	here := strings.NewReplacer("registryctl serve", "registryctl serve --listen 127.0.0.1:"+tokens, " registry:3", " "+e.registryImage(),
		"docker run -d", "docker run -d --name "+e.name+" -e REGISTRY_HTTP_ADDR=127.0.0.1:"+port)
	e.removed(e.name)
	for _, line := range readmeLines(t, "sh", "registryctl serve") {
		line = here.Replace(line)
		command, background := strings.CutSuffix(line, " &")
		if !background {
			status, seen := atTerminal(t, program, e.dir, "bash", "-c", line)
			require.Zero(t, status, "%s\n%s", line, seen)
			continue
		}
		server := exec.Command("bash", "-c", "exec "+command)
		server.Dir = e.dir
		server.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "REGISTRY_AUTH_HTPASSWD_PATH=")
		require.NoError(t, server.Start())
		t.Cleanup(func() {
			_ = server.Process.Kill()
			_ = server.Wait()
		})
		require.Eventually(t, func() bool {
			return strings.Contains(contents(t, filepath.Join(e.dir, "registry.env")), "REGISTRY_AUTH") && contents(t, filepath.Join(e.dir, "auth", "token.crt")) != ""
		}, time.Minute, 50*time.Millisecond)
	}
	e.awaitRegistry(port)

	hello := e.hello(address)
	require.NoError(t, e.login(address, "elton", "secret"))
	e.ok("docker", "push", hello)
	e.ok("docker", "rmi", hello)
	require.NoError(t, e.login(address, "francis", "secret"))
	e.ok("docker", "pull", hello)
	said, err := e.run("docker", "push", hello+":latest")
	assert.Error(t, err, "francis may only pull: %s", said)
	assert.Regexp(t, "denied|unauthorized|insufficient_scope", said)
}

// TestDockerTLS reaches a registry with TLS at an address of this machine that docker
// takes for another one: the bridge's. Docker and registryctl trust it by the same file.
func TestDockerTLS(t *testing.T) {
	e := startEngine(t)
	needRoot(t)
	bridge := strings.TrimSpace(e.ok("docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}"))
	if bridge == "" {
		bridge = "172.17.0.1"
	}
	port := testserver.FreePort(t)
	address := bridge + ":" + port
	trusted := filepath.Join("/etc/docker/certs.d", address)
	t.Cleanup(func() { _ = os.RemoveAll(trusted) })
	cert := testserver.NewCertificate(t, net.ParseIP(bridge))
	file := filepath.Join(e.dir, "auth", "registry.htpasswd")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	registryctl(t, "user", "add", "elton", "--hash", hash, "-f", file)
	e.removed(e.name)
	e.ok("docker", "run", "-d", "-p", address+":5000", "--name", e.name, "-v", filepath.Dir(file)+":/auth:ro", "-v", filepath.Dir(cert.CertFile)+":/certs:ro",
		"-e", "REGISTRY_AUTH=htpasswd", "-e", "REGISTRY_AUTH_HTPASSWD_REALM=Registry", "-e", "REGISTRY_AUTH_HTPASSWD_PATH=/auth/registry.htpasswd",
		"-e", "REGISTRY_HTTP_TLS_CERTIFICATE=/certs/"+filepath.Base(cert.CertFile), "-e", "REGISTRY_HTTP_TLS_KEY=/certs/"+filepath.Base(cert.KeyFile), e.registryImage())
	password := filepath.Join(e.dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("secret\n"), 0o600))
	verify := func() outcome {
		return run(t, testserver.Build(t), "user", "verify", "elton", "--registry", address, "--password-file", password, "-f", file)
	}

	var err error
	require.Eventually(t, func() bool {
		err = e.login(address, "elton", "secret")
		return strings.Contains(err.Error(), "x509: certificate signed by unknown authority")
	}, time.Minute, 100*time.Millisecond, "%v", err)
	o := verify()
	assert.Equal(t, 1, o.status)
	assert.Contains(t, o.stderr, trusted)

	require.NoError(t, os.MkdirAll(trusted, 0o755))
	copyFile(t, cert.CertFile, filepath.Join(trusted, "ca.crt"))
	require.NoError(t, e.login(address, "elton", "secret"))
	o = verify()
	assert.Zero(t, o.status, o.stderr)
	hello := e.hello(address)
	e.ok("docker", "push", hello)
	e.ok("docker", "rmi", hello)
	e.ok("docker", "pull", hello)
}

// TestContainers edits files from inside containers of our image.
func TestContainers(t *testing.T) {
	e := startEngine(t)
	ours, registry := e.registryctlImage(), e.registryImage()
	// ctl runs registryctl with options of docker run before it.
	ctl := func(t *testing.T, options []string, args ...string) outcome {
		t.Helper()
		return run(t, slices.Concat([]string{"docker", "run", "--rm"}, options, []string{ours}, args)...)
	}
	add := []string{"user", "add", "gordon", "--hash", hash}
	folder := func(t *testing.T, mode os.FileMode) (auth, file string) {
		t.Helper()
		auth = filepath.Join(t.TempDir(), "auth")
		require.NoError(t, os.Mkdir(auth, mode))
		require.NoError(t, os.Chmod(auth, mode))
		file = filepath.Join(auth, "registry.htpasswd")
		require.NoError(t, os.WriteFile(file, []byte(editable), 0o600))
		return auth, file
	}

	t.Run("at once", func(t *testing.T) {
		const each = 12
		auth, file := folder(t, 0o700)
		var editors sync.WaitGroup
		for i := range each {
			editors.Go(func() {
				o := ctl(t, []string{"-v", auth + ":/auth"}, "user", "add", fmt.Sprint("container", i), "--hash", hash, "--lock-timeout", "60s")
				assert.Zero(t, o.status, o.stderr)
			})
			editors.Go(func() {
				registryctl(t, "user", "add", fmt.Sprint("process", i), "--hash", hash, "--lock-timeout", "60s", "-f", file)
			})
		}
		editors.Wait()
		lines := slices.Sorted(strings.Lines(contents(t, file)))
		var want []string
		for i := range each {
			want = append(want, line(fmt.Sprint("container", i)), line(fmt.Sprint("process", i)))
		}
		want = append(want, line("elton"), line("francis"))
		slices.Sort(want)
		assert.Equal(t, want, lines)
		assert.Empty(t, litter(t, file))
	})

	t.Run("without a mount", func(t *testing.T) {
		o := ctl(t, nil, add...)
		assert.Zero(t, o.status)
		assert.Contains(t, o.stderr, "registryctl: warning: /auth/registry.htpasswd is not on a mount: it will be lost with this container\n")
		o = ctl(t, nil, slices.Concat(add, []string{"-q"})...)
		assert.Equal(t, outcome{}, o)
	})

	// A registry on a named volume, and check in it to tell its health.
	t.Run("a named volume", func(t *testing.T) {
		readme, err := os.ReadFile("../../README.md")
		require.NoError(t, err)
		assert.Contains(t, string(readme), "named volume too (`-v auth:/auth`), and `check -q` as a health check")
		volume := e.name + "-auth"
		e.t.Cleanup(func() { _, _ = e.run("docker", "volume", "rm", "-f", volume) }) // after the container
		o := ctl(t, []string{"-v", volume + ":/auth"}, "user", "add", "elton", "--hash", hash)
		assert.Zero(t, o.status)
		assert.NotContains(t, o.stderr, "lost")
		checked := e.name + "/checked"
		e.image(checked, t.TempDir(), "FROM "+registry+"\nCOPY --from="+ours+" /usr/bin/registryctl /usr/bin/\n"+
			"HEALTHCHECK --interval=1s --retries=1 CMD [\"/usr/bin/registryctl\", \"check\", \"-q\"]\n")
		port := testserver.FreePort(t)
		container := e.name + "-checked"
		e.removed(container)
		e.ok("docker", "run", "-d", "-p", "127.0.0.1:"+port+":5000", "--name", container, "-v", volume+":/auth:ro",
			"-e", "REGISTRY_AUTH=htpasswd", "-e", "REGISTRY_AUTH_HTPASSWD_REALM=Registry", "-e", "REGISTRY_AUTH_HTPASSWD_PATH=/auth/registry.htpasswd", checked)
		isSoon := func(health string) {
			require.Eventually(t, func() bool {
				return strings.TrimSpace(e.ok("docker", "inspect", "-f", "{{.State.Health.Status}}", container)) == health
			}, time.Minute, 100*time.Millisecond, health)
		}
		isSoon("healthy")
		require.NoError(t, e.login("localhost:"+port, "elton", "secret"))
		o = ctl(t, []string{"-v", volume + ":/auth"}, "user", "remove", "elton")
		assert.Zero(t, o.status, o.stderr)
		isSoon("unhealthy") // nobody is listed
	})

	t.Run("a single file", func(t *testing.T) {
		_, file := folder(t, 0o700)
		mount := []string{"-v", file + ":/auth/registry.htpasswd"}
		o := ctl(t, mount, add...)
		assert.Equal(t, outcome{1, "", "registryctl: cannot add \"gordon\": auth/registry.htpasswd is mounted as a single file, which cannot be replaced\n" +
			"  hint: mount its directory instead, or use --in-place\n"}, withoutWarnings(o))
		assert.Equal(t, editable, contents(t, file))
		o = ctl(t, mount, slices.Concat(add, []string{"--in-place"})...)
		assert.Zero(t, o.status, o.stderr)
		assert.Equal(t, editable+line("gordon"), contents(t, file))
		assert.Empty(t, litter(t, file))
	})

	t.Run("read-only", func(t *testing.T) {
		auth, file := folder(t, 0o700)
		mount := []string{"-v", auth + ":/auth:ro"}
		for _, args := range [][]string{add, slices.Concat(add, []string{"--in-place"})} {
			assert.Equal(t, outcome{1, "", "registryctl: cannot add \"gordon\": auth/registry.htpasswd is on a read-only file system\n" +
				"  hint: mount the directory read-write, or edit the file where it comes from\n"}, withoutWarnings(ctl(t, mount, args...)))
		}
		assert.Equal(t, editable, contents(t, file))
		assert.Empty(t, litter(t, file))
		assert.Equal(t, outcome{0, "elton\nfrancis\n", ""}, ctl(t, mount, "user", "list", "-q"))
		o := ctl(t, slices.Concat(mount, []string{"--read-only", "--cap-drop", "ALL", "--network", "none"}), "check", "-q")
		assert.Zero(t, o.status, o.stderr)
	})

	t.Run("another user", func(t *testing.T) {
		needRoot(t)
		auth, file := folder(t, 0o755)
		for mode, commands := range map[os.FileMode]map[string][]string{
			0o755: {`add "gordon"`: add},
			0o700: {`add "gordon"`: add, "list the users": {"user", "list"}},
		} {
			require.NoError(t, os.Chmod(auth, mode))
			for what, command := range commands {
				assert.Equal(t, outcome{1, "", "registryctl: cannot " + what + ": permission denied: auth belongs to user 0\n" +
					"  hint: run the container with --user 0:0\n"}, ctl(t, []string{"-v", auth + ":/auth", "--user", "1000:1000"}, command...))
			}
		}
		require.NoError(t, os.Chmod(auth, 0o755))
		assert.Equal(t, outcome{1, "", "registryctl: permission denied: auth belongs to user 0\n  hint: run the container with --user 0:0\n"},
			ctl(t, []string{"-v", auth + ":/auth", "--user", "1000:1000"}, "access", "grant", "elton", "pull", "app"))
		assert.Zero(t, ctl(t, []string{"-v", auth + ":/auth", "--user", "0:0"}, "user", "list").status)
		assert.Equal(t, editable, contents(t, file))
	})

	t.Run("root without rights", func(t *testing.T) {
		needRoot(t)
		auth, file := folder(t, 0o777)
		require.NoError(t, os.Chmod(file, 0o644))
		require.NoError(t, os.Chown(file, 1000, 1000))
		mount := []string{"--cap-drop", "ALL", "-v", auth + ":/auth"}
		assert.Equal(t, outcome{1, "", "registryctl: cannot add \"gordon\": auth/registry.htpasswd: cannot keep the file's owner, mode or access list\n" +
			"  hint: run the container with --user 1000:1000\n"}, withoutWarnings(ctl(t, mount, add...)))
		o := ctl(t, slices.Concat(mount, []string{"--user", "1000:1000"}), add...)
		assert.Zero(t, o.status, o.stderr)
		assert.Equal(t, editable+line("gordon"), contents(t, file))
	})

	// What a registry says that may not read the file, and what the README says of it.
	t.Run("a registry without rights", func(t *testing.T) {
		needRoot(t)
		auth, file := folder(t, 0o700)
		port := testserver.FreePort(t)
		container := e.name + "-unreadable"
		e.removed(container)
		e.ok("docker", "run", "-d", "-p", "127.0.0.1:"+port+":5000", "--name", container, "--user", "1000:0", "-v", auth+":/auth:ro",
			"-e", "REGISTRY_AUTH=htpasswd", "-e", "REGISTRY_AUTH_HTPASSWD_REALM=Registry", "-e", "REGISTRY_AUTH_HTPASSWD_PATH=/auth/registry.htpasswd", registry)
		require.Eventually(t, func() bool {
			return strings.Contains(e.ok("docker", "logs", container), "panic: unable to configure authorization (htpasswd): open /auth/registry.htpasswd: permission denied")
		}, time.Minute, 100*time.Millisecond)
		readme, err := os.ReadFile("../../README.md")
		require.NoError(t, err)
		row := regexp.MustCompile(`(?m)^\| the registry stops when it starts, or answers 400 once: .permission denied. \|.*$`).FindString(string(readme))
		commands := regexp.MustCompile("`chmod [^`]+`").FindAllString(row, -1)
		require.Len(t, commands, 2)
		for _, command := range commands {
			e.ok("bash", "-c", "cd "+filepath.Dir(auth)+" && "+strings.Trim(command, "`"))
		}
		e.ok("docker", "start", container)
		e.awaitRegistry(port)
		require.NoError(t, e.login("localhost:"+port, "elton", "secret"))

		require.NoError(t, os.Chmod(file, 0o600))
		rewritten := time.Now().Add(time.Second)
		require.NoError(t, os.Chtimes(file, rewritten, rewritten))
		password := filepath.Join(t.TempDir(), "password")
		require.NoError(t, os.WriteFile(password, []byte("secret"), 0o600))
		assert.Equal(t, outcome{7, "", "registryctl: http://localhost:" + port + " cannot read its htpasswd file: it is missing, malformed or not readable by the registry's user\n" +
			"  hint: registryctl check -f " + file + "\n"}, run(t, testserver.Build(t), "user", "verify", "elton", "--registry", "localhost:"+port, "--password-file", password, "-f", file))
		assert.Contains(t, e.ok("docker", "logs", container), "open /auth/registry.htpasswd: permission denied")
	})

	// The registry runs as another user of the group of the file.
	t.Run("mode", func(t *testing.T) {
		needRoot(t)
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o755))
		auth := filepath.Join(dir, "auth")
		cmd := exec.Command(testserver.Build(t), "user", "add", "elton", "--hash", hash, "--mode", "0640")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "REGISTRY_AUTH_HTPASSWD_PATH=")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		port := testserver.FreePort(t)
		e.removed(e.name)
		e.ok("docker", "run", "-d", "-p", "127.0.0.1:"+port+":5000", "--name", e.name, "--user", "1000:0", "-v", auth+":/auth:ro",
			"-e", "REGISTRY_AUTH=htpasswd", "-e", "REGISTRY_AUTH_HTPASSWD_REALM=Registry", "-e", "REGISTRY_AUTH_HTPASSWD_PATH=/auth/registry.htpasswd", registry)
		e.awaitRegistry(port)
		require.NoError(t, e.login("localhost:"+port, "elton", "secret"))
	})
}

// withoutWarnings is an outcome without the lines that warn.
func withoutWarnings(o outcome) outcome {
	o.stderr = regexp.MustCompile(`(?m)^registryctl: warning: .*\n`).ReplaceAllString(o.stderr, "")
	return o
}

// TestDockerLoginOddNames logs in through the engine's client with what registryctl
// accepts as names and passwords.
func TestDockerLoginOddNames(t *testing.T) {
	e := startEngine(t)
	file := create(t, "")
	server := testserver.StartRegistry(t, "registry", testserver.RegistryConfig{Htpasswd: file})
	add := func(user, password string) {
		t.Helper()
		cmd := exec.Command(testserver.Build(t), "user", "add", "--password-stdin", "--cost", "4", "-f", file, "--", user)
		cmd.Stdin = strings.NewReader(password)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%q: %s", user, out)
	}
	for _, user := range []string{
		"elton@example.com", `EXAMPLE\elton`, "labs/elton", "100%", "%41", `"quoted"`, "it's", "$(id)", "a#b", "?", "&", "a+b", "=", ",", "<elton>", ">", "a b c", "`id`",
		";", "-elton", "鯨", "\u00e9lan", "e\u0301lan", "🐳", strings.Repeat("n", 64), strings.Repeat("n", 193), strings.Repeat("n", 255),
	} {
		add(user, "d0cker123")
		assert.NoError(t, e.login(server.Addr, user, "d0cker123"), "name %q", user)
		assert.Error(t, e.login(server.Addr, user, "d0cker124"), "name %q", user)
	}
	for i, password := range []string{
		"$HOME", "${PATH}", "`id`", `"quoted"`, `'quoted'`, `back\slash`, `ends in \`, "!!", "a,b;c", ":::", ":a:b", "%41", "-p", "--help", "@file", "a b  c", "a\tb", "pässword", "p\u00e4ssword",
		"鯨鯨鯨", "🐳🐳", "a\x1b[31mb", "a\x07b", "#comment", "{\"json\": 1}", "$2y$10$abc", strings.Repeat("p", 71), strings.Repeat("p", 72), "日" + strings.Repeat("p", 69),
	} {
		user := fmt.Sprint("user", i)
		add(user, password)
		assert.NoError(t, e.login(server.Addr, user, password), "password %q", password)
	}
}
