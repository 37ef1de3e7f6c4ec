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
	dryRun  bool
	retry   cli.Duration
}

// open returns the store that the flags name.
func (f *flags) open(access cli.Access) (cli.Store, string) {
	s := &secret{name: f.secret, key: f.key, access: access, dryRun: f.dryRun, patience: time.Duration(f.retry)}
	if f.create {
		s.creation = &f.made
	}
	switch {
	case s.name == "":
		s.err = cli.Misuse("it takes the name of a Secret", "--secret is missing")
		return s, ""
	case len(content.IsPathSegmentName(s.name)) > 0:
		s.err = cli.Misuse("", "--secret takes the name of a Secret and nothing else")
	case !f.create && (f.made.kind != "" || len(f.made.labels) > 0):
		s.err = cli.Misuse("", "--type and --labels go with --create")
	default:
		var config *rest.Config
		if config, s.namespace, s.err = f.config(); s.err == nil {
			s.client, s.err = dynamic.NewForConfig(config)
		}
		if s.err == nil && len(content.IsDNS1123Label(s.namespace)) > 0 {
			s.err = cli.Misuse("", "--namespace takes the name of a namespace and nothing else")
		}
	}
	return s, s.String()
}

// dryRunNote is what kubectl says then.
func (f *flags) dryRunNote() string {
	if f.dryRun {
		return "(server dry run)"
	}
	return ""
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

// adapt gives the tree of commands the flags and the help of this program.
func (f *flags) adapt(root *cobra.Command) {
	persistent := root.PersistentFlags()
	f.cluster = genericclioptions.NewConfigFlags(true)
	f.cluster.CacheDir = nil // nothing is kept here
	f.cluster.AddFlags(persistent)
	for name, usage := range map[string]string{
		"namespace":  "NAMESPACE of the Secret",
		"context":    "CONTEXT of the kubeconfig to use",
		"kubeconfig": "FILE that says which clusters there are",
	} {
		persistent.Lookup(name).Usage = usage
	}
	shown := []string{"namespace", "context", "kubeconfig", "quiet"}
	persistent.VisitAll(func(flag *pflag.Flag) { flag.Hidden = !slices.Contains(shown, flag.Name) })
	persistent.StringVar(&f.secret, "secret", "", "NAME of the Secret")
	persistent.StringVar(&f.key, "key", "", "KEY in it that holds the users; else guessed")
	f.retry = cli.Duration(time.Minute)
	persistent.Var(&f.retry, "retry-timeout", "TIME to try an edit again")
	f.complete(root)

	for _, cmd := range root.Commands() {
		local := cmd.Flags()
		switch cmd.Name() {
		case "add", "import":
			local.BoolVar(&f.create, "create", false, "make the Secret or the key if it is not there")
			local.StringVar(&f.made.kind, "type", "", "with --create: its TYPE (default Opaque)")
			local.StringToStringVar(&f.made.labels, "labels", nil, "with --create: its LABELS, as in app=registry")
		}
		switch cmd.Name() {
		case "add", "import", "passwd", "remove", "rename", "check":
			f.addDryRun(cmd)
		}
	}
	help(root)
}

// addDryRun adds --dry-run=server, to the --dry-run of a command that has one.
func (f *flags) addDryRun(cmd *cobra.Command) {
	local := cmd.Flags()
	if plan := local.Lookup("dry-run"); plan != nil {
		plan.Value = dryRun{server: &f.dryRun, plan: plan.Value}
		plan.Usage += "; =server tries it"
	} else {
		local.Var(dryRun{server: &f.dryRun}, "dry-run", `HOW is server: check it there, keep nothing`)
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if f.dryRun && local.Lookup("generate") != nil && local.Changed("generate") {
			return cli.Misuse("", "--generate and --dry-run=server exclude each other: the password would be nobody's")
		}
		return nil
	}
}

// dryRun is --dry-run, with the values of kubectl.
type dryRun struct {
	server *bool
	plan   pflag.Value // whether to say only what would be done; nil for a command that cannot
}

func (d dryRun) String() string { return "" }
func (d dryRun) Type() string   { return "string" }

func (d dryRun) Set(s string) error {
	*d.server = s == "server"
	if d.plan == nil {
		if s != "server" && s != "none" {
			return cli.FlagProblem("takes server or none")
		}
		return nil
	}
	if plan, ok := map[string]string{"server": "false", "none": "false", "client": "true"}[s]; ok {
		s = plan
	}
	if d.plan.Set(s) != nil {
		return cli.FlagProblem("takes client, server or none")
	}
	return nil
}
