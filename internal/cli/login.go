package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/internal/atomicfile"
	"github.com/registryctl/registryctl/internal/dockerconfig"
	"github.com/registryctl/registryctl/internal/registry"
)

// A Login is a place in which a client of the registry keeps a name and a password.
type Login interface {
	String() string              // for messages
	Check(context.Context) error // returns the reason if Save is known to fail
	Save(_ context.Context, user string, password []byte) error
}

// LoginAddress parses --registry, which a flag that saves a login needs.
func LoginAddress(flag, address string) (registry.Address, error) {
	if address == "" {
		return registry.Address{}, Misuse("", "--%s needs --registry, which the login is for", flag)
	}
	at, err := registry.ParseAddress(address)
	if err != nil {
		return at, Misuse("", "--registry: %w", err)
	}
	return at, nil
}

// SetLogin adds a login to a configuration of docker.
func SetLogin(place string, text []byte, at registry.Address, user string, password []byte) ([]byte, error) {
	text, err := dockerconfig.Set(text, at, user, password)
	switch {
	case errors.As(err, new(*dockerconfig.HelperError)):
		return nil, Fail("log in with docker login "+at.Host()+", or name another file", "%s: %w", place, err)
	case err != nil:
		return nil, Malformed("", "%s: %w", place, err)
	}
	return text, nil
}

// A dockerLogin is the config.json of docker as a Login.
type dockerLogin struct {
	path    string
	at      registry.Address
	timeout time.Duration // for the lock
	dryRun  bool
}

// registerLogin adds --docker-config and --registry.
func (f *fileFlags) registerLogin(cmd *cobra.Command) func(OpenOptions) (Login, error) {
	var path pathFlag
	var address string
	cmd.Flags().Var(&path, "docker-config", "save the login in this `FILE`, a config.json of docker")
	cmd.Flags().StringVar(&address, "registry", "", "with --docker-config: `HOST[:PORT]` of the registry")
	_ = cmd.RegisterFlagCompletionFunc("registry", cobra.NoFileCompletions)
	return func(o OpenOptions) (Login, error) {
		switch {
		case path == "" && address == "":
			return nil, nil
		case path == "":
			return nil, Misuse("", "--registry needs --docker-config")
		}
		at, err := LoginAddress("docker-config", address)
		return dockerLogin{string(path), at, time.Duration(f.lockTimeout), o.DryRun != DryRunNone}, err
	}
}

func (l dockerLogin) String() string { return l.path }

func (l dockerLogin) Check(context.Context) error {
	text, _, err := atomicfile.ReadToWatch(l.path) // which waits for no pipe
	if isMissing(err) {
		if _, err := os.Stat(filepath.Dir(l.path)); isMissing(err) {
			return Fail("create the directory first", "the directory of %s does not exist", l.path)
		}
		err = nil
	}
	if err == nil {
		_, err = SetLogin(l.path, []byte(text), l.at, "", nil)
	}
	return err
}

func (l dockerLogin) Save(ctx context.Context, user string, password []byte) error {
	if l.dryRun {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, max(l.timeout, shortestWait))
	defer cancel()
	_, err := atomicfile.Update(ctx, l.path, atomicfile.Options{Create: true, Mode: 0o600, SetMode: true}, func(text string) (io.WriterTo, error) {
		edited, err := SetLogin(l.path, []byte(text), l.at, user, password)
		if err != nil || string(edited) == text {
			return nil, err
		}
		return bytes.NewReader(edited), nil
	})
	return err
}
