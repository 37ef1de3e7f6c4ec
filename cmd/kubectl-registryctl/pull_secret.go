package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/internal/cli"
	"github.com/registryctl/registryctl/internal/registry"
)

// The type and the key of a Secret from which the kubelet reads logins.
const (
	pullType = "kubernetes.io/dockerconfigjson"
	pullKey  = ".dockerconfigjson"
)

// pullSecrets are Secrets for image pulls, as a Login.
type pullSecrets struct {
	at      registry.Address
	secrets []*secret
}

// registerLogin adds --pull-secret and --registry.
func (f *flags) registerLogin(cmd *cobra.Command) func(cli.OpenOptions) (cli.Login, error) {
	var names []string
	var address string
	local := cmd.Flags()
	local.StringSliceVar(&names, "pull-secret", nil, "save the login in the Secret `[NAMESPACE/]NAME` for image pulls")
	local.StringVar(&address, "registry", "", "with --pull-secret: `HOST[:PORT]` of the registry")
	_ = cmd.RegisterFlagCompletionFunc("registry", cobra.NoFileCompletions)
	return func(o cli.OpenOptions) (cli.Login, error) {
		switch {
		case len(names) == 0 && address == "":
			return nil, nil
		case len(names) == 0:
			return nil, cli.Misuse("", "--registry needs --pull-secret")
		}
		at, err := cli.LoginAddress("pull-secret", address)
		if err != nil {
			return nil, err
		}
		l := pullSecrets{at: at}
		for _, name := range names {
			namespace, name, found := strings.Cut(name, "/")
			if !found {
				namespace, name = "", namespace
			}
			if len(content.IsPathSegmentName(name)) > 0 || name == "" || found && len(content.IsDNS1123Label(namespace)) > 0 {
				return nil, cli.Misuse("", "--pull-secret must be NAME or NAMESPACE/NAME of a Secret")
			}
			s, err := f.newSecret(namespace, name, o)
			if err != nil {
				return nil, err
			}
			s.forPulls, s.creation = true, &creation{kind: pullType}
			l.secrets = append(l.secrets, s)
		}
		return l, nil
	}
}

func (l pullSecrets) String() string {
	names := make([]string, len(l.secrets))
	for i, s := range l.secrets {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}

func (l pullSecrets) Check(ctx context.Context) error {
	for _, s := range l.secrets {
		object, err := s.get(ctx)
		if err != nil {
			return s.explain(ctx, err)
		}
		_, text, err := s.pullText(object)
		if err == nil {
			_, err = cli.SetLogin(s.String(), text, l.at, "", nil)
		}
		if err == nil && s.options.DryRun == cli.DryRunNone {
			err = s.mayWrite(ctx, object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l pullSecrets) Save(ctx context.Context, user string, password []byte) error {
	for _, s := range l.secrets {
		before, after, err := s.edit(ctx, func(text []byte) ([]byte, error) {
			return cli.SetLogin(s.String(), text, l.at, user, password)
		})
		if err != nil {
			return err
		}
		if before != after && s.options.DryRun != cli.DryRunClient {
			s.warnOfManagers(before)
		}
	}
	return nil
}

// pullText returns the configuration of docker in the Secret, and its key.
func (s *secret) pullText(object *unstructured.Unstructured) (key string, text []byte, err error) {
	if object != nil {
		if kind, _, _ := unstructured.NestedString(object.Object, "type"); kind != pullType {
			return "", nil, cli.Malformed("use --pull-secret to name another", "%s has the type %s, but image pulls need the type %s", s, kind, pullType)
		}
		text, err = s.decode(object, pullKey)
	}
	return pullKey, text, err
}
