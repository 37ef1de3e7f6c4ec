package main

import (
	"cmp"
	"flag"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/registryctl/registryctl/internal/cli"
)

// Variables that replace flags, unless these are given.
const (
	secretVariable = "KUBECTL_REGISTRYCTL_SECRET"
	keyVariable    = "KUBECTL_REGISTRYCTL_KEY"
)

// flags name the Secret and the cluster, and say how the Secret is written.
type flags struct {
	program *cli.Program

	kubeconfig string
	overrides  clientcmd.ConfigOverrides // of the kubeconfig
	asExtra    []string                  // KEY=VALUE

	secret       cli.NonEmpty
	key          cli.NonEmpty
	create       bool
	creation     creation
	force        bool
	fieldManager string
	retry        cli.Duration
}

// open returns the Secret that the flags name.
func (f *flags) open(o cli.OpenOptions) (cli.Text, error) {
	name := cmp.Or(string(f.secret), os.Getenv(secretVariable))
	name = strings.TrimPrefix(strings.TrimPrefix(name, "secrets/"), "secret/") // as kubectl does
	switch {
	case name == "":
		return cli.Text{}, cli.Misuse("use --secret or $"+secretVariable+" to name the Secret", "--secret is missing")
	case len(content.IsPathSegmentName(name)) > 0:
		return cli.Text{}, cli.Misuse("", "--secret must be the name of a Secret and nothing else")
	case !f.create && (f.creation.kind != "" || len(f.creation.labels) > 0):
		return cli.Text{}, cli.Misuse("", "--type and --labels need --create")
	}
	s, err := f.newSecret("", name, o)
	if err != nil {
		return cli.Text{}, err
	}
	s.key = cmp.Or(string(f.key), os.Getenv(keyVariable))
	if f.create {
		s.creation = &f.creation
	}
	return cli.Text{Store: s, Name: s.String()}, nil
}

// newSecret returns a Secret in the namespace, or, if that is empty, in the one that the
// flags name.
func (f *flags) newSecret(namespace, name string, o cli.OpenOptions) (*secret, error) {
	client, ofFlags, err := f.connect()
	if err != nil {
		return nil, err
	}
	if len(content.IsDNS1123Label(ofFlags)) > 0 {
		return nil, cli.Misuse("", "--namespace must be the name of a namespace and nothing else")
	}
	client.once = o.Access != cli.ToRead // an edit is tried again as a whole
	return &secret{
		program: f.program, options: o, client: client, namespace: cmp.Or(namespace, ofFlags), name: name,
		force: f.force, fieldManager: f.fieldManager, patience: time.Duration(f.retry),
	}, nil
}

// register adds the flags of every command.
func (f *flags) register(root *cobra.Command) {
	persistent := root.PersistentFlags()
	persistent.Var(&f.secret, "secret", "`NAME` of the Secret")
	persistent.Var(&f.key, "key", "`KEY` of the Secret that holds the users; guessed if not given")
	f.registerKubectl(persistent)
	f.retry = cli.Duration(time.Minute)
	persistent.Var(&f.retry, "retry-timeout", "`TIME` for which an edit is tried again")
	f.complete(root)
}

// registerKubectl adds the flags of kubectl for the cluster and the user. The help shows
// few of them.
func (f *flags) registerKubectl(persistent *pflag.FlagSet) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` to use")
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ContextOverrideFlags.Namespace.Description = "`NAMESPACE` of the Secret"
	names.CurrentContext.Description = "`CONTEXT` of the kubeconfig to use"
	names.ClusterOverrideFlags.APIServer.ShortName = "s"
	names.AuthOverrideFlags.Username.LongName, names.AuthOverrideFlags.Password.LongName = "", ""
	clientcmd.BindOverrideFlags(&f.overrides, all, names)
	all.StringArrayVar(&f.asExtra, "as-user-extra", nil, "`KEY=VALUE` of the user to impersonate")
	all.VarP(verbosity{}, "v", "v", "log `LEVEL` of the requests")
	for _, name := range []string{"namespace", "context", "kubeconfig"} {
		persistent.AddFlag(all.Lookup(name))
	}
	all.VisitAll(func(flag *pflag.Flag) {
		if persistent.Lookup(flag.Name) == nil {
			flag.Hidden = true
			persistent.AddFlag(flag)
		}
	})
}

// registerCreate adds the flags of the commands that can create the Secret.
func (f *flags) registerCreate(cmd *cobra.Command) {
	local := cmd.Flags()
	local.BoolVar(&f.create, "create", false, "create the Secret or the key if it is missing")
	local.StringVar(&f.creation.kind, "type", "", "with --create: its `TYPE` (default Opaque)")
	local.Var(&f.creation.labels, "labels", "with --create: its `LABELS`, as in app=registry")
}

// registerEdit adds the flags of the commands that edit.
func (f *flags) registerEdit(cmd *cobra.Command) {
	local := cmd.Flags()
	local.BoolVar(&f.force, "force", false, "with --key: edit a text that has no users yet")
	local.StringVar(&f.fieldManager, "field-manager", defaultManager, "`NAME` of the editor that the cluster records")
}

// labels is the value of --labels.
type labels map[string]string

func (l *labels) String() string { return "" }
func (l *labels) Type() string   { return "labels" }

func (l *labels) Set(s string) error {
	for label := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(label, "=")
		if !ok || len(content.IsLabelKey(key)) > 0 || len(content.IsLabelValue(value)) > 0 {
			return cli.FlagProblem("must be labels such as app=registry,tier=auth")
		}
		if *l == nil {
			*l = make(labels)
		}
		(*l)[key] = value
	}
	return nil
}

// verbosity is -v, which makes client-go log to standard error as kubectl does.
type verbosity struct{}

func (verbosity) String() string { return "0" }
func (verbosity) Type() string   { return "level" }

func (verbosity) Set(s string) error {
	if n, err := strconv.ParseUint(s, 10, 8); err != nil || n == 0 {
		if err != nil {
			return cli.FlagProblem("must be a number, such as 6 to see the requests")
		}
		return nil
	}
	klog.ClearLogger()
	levels := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(levels)
	return levels.Set("v", s)
}
