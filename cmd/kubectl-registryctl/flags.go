package main

import (
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/dynamic"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // every way that kubectl knows to log in
	"k8s.io/client-go/rest"

	"github.com/registryctl/registryctl/internal/cli"
)

// flags say which Secret, in which cluster, and how it is written.
type flags struct {
	cluster *genericclioptions.ConfigFlags
	secret  string
	key     string
	create  bool
	made    creation
	retry   cli.Duration
}

// open returns the Secret that the flags name.
func (f *flags) open(o cli.OpenOptions) (cli.Text, error) {
	s := &secret{name: f.secret, key: f.key, access: o.Access, dryRun: o.DryRun == cli.DryRunServer, patience: time.Duration(f.retry)}
	if f.create {
		s.creation = &f.made
	}
	switch {
	case s.name == "":
		return cli.Text{}, cli.Misuse("it takes the name of a Secret", "--secret is missing")
	case len(content.IsPathSegmentName(s.name)) > 0:
		return cli.Text{}, cli.Misuse("", "--secret takes the name of a Secret and nothing else")
	case !f.create && (f.made.kind != "" || len(f.made.labels) > 0):
		return cli.Text{}, cli.Misuse("", "--type and --labels go with --create")
	}
	config, namespace, err := f.config()
	if err != nil {
		return cli.Text{}, err
	}
	if len(content.IsDNS1123Label(namespace)) > 0 {
		return cli.Text{}, cli.Misuse("", "--namespace takes the name of a namespace and nothing else")
	}
	s.namespace = namespace
	s.client, err = dynamic.NewForConfig(config)
	return cli.Text{Store: s, Name: s.String()}, err
}

// config returns how to reach the cluster, and the namespace that is meant there.
func (f *flags) config() (config *rest.Config, namespace string, err error) {
	loader := f.cluster.ToRawKubeConfigLoader()
	if namespace, _, err = loader.Namespace(); err == nil {
		config, err = loader.ClientConfig()
	}
	if err != nil {
		// Not wrapped: a kubeconfig that is not there is no Secret that is not there.
		return nil, "", cli.Fail("kubectl config view shows what kubectl uses", "no cluster is known: %v", err)
	}
	config.QPS = -1 // what is too much for it says the server
	config.WarningHandler = rest.NoWarnings{}
	return config, namespace, nil
}

// register adds the flags of every command.
func (f *flags) register(root *cobra.Command) {
	persistent := root.PersistentFlags()
	persistent.StringVar(&f.secret, "secret", "", "`NAME` of the Secret")
	persistent.StringVar(&f.key, "key", "", "`KEY` in it that holds the users; else guessed")
	f.cluster = genericclioptions.NewConfigFlags(true)
	f.cluster.CacheDir = nil // nothing is kept here
	f.cluster.AddFlags(persistent)
	for name, usage := range map[string]string{
		"namespace":  "`NAMESPACE` of the Secret",
		"context":    "`CONTEXT` of the kubeconfig to use",
		"kubeconfig": "`FILE` that says which clusters there are",
	} {
		persistent.Lookup(name).Usage = usage
	}
	shown := []string{"secret", "key", "namespace", "context", "kubeconfig"}
	persistent.VisitAll(func(flag *pflag.Flag) { flag.Hidden = !slices.Contains(shown, flag.Name) })
	f.retry = cli.Duration(time.Minute)
	persistent.Var(&f.retry, "retry-timeout", "how much `TIME` to try an edit again")
	f.complete(root)
}

// registerCreate adds the flags of the commands that can create the Secret.
func (f *flags) registerCreate(cmd *cobra.Command) {
	local := cmd.Flags()
	local.BoolVar(&f.create, "create", false, "create the Secret or the key if it is missing")
	local.StringVar(&f.made.kind, "type", "", "with --create: its `TYPE` (default Opaque)")
	local.StringToStringVar(&f.made.labels, "labels", nil, "with --create: its `LABELS`, as in app=registry")
}
