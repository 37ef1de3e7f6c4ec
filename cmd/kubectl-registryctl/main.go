// Command kubectl-registryctl manages the htpasswd users in a Kubernetes or OpenShift
// Secret, as "kubectl registryctl" or "oc registryctl", with the commands of registryctl.
//
// It is a module of its own, so that neither registryctl nor a program that imports the
// library depends on the modules of Kubernetes.
package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/registryctl/registryctl/internal/cli"
)

const program = "kubectl registryctl"

func main() {
	// client-go logs nothing without -v: our own errors say what went wrong.
	klog.SetLogger(logr.Discard())

	args := os.Args
	// kubectl calls a plugin by this name for completions.
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == "kubectl_complete-registryctl" {
		args = slices.Insert(args, 1, "__complete")
	}
	p := newProgram()
	p.Stdin, p.Stdout, p.Stderr = os.Stdin, os.Stdout, os.Stderr
	os.Exit(p.Main(args))
}

func newProgram() *cli.Program {
	p := new(cli.Program)
	f := &flags{program: p}
	*p = cli.Program{
		Name:         program,
		UserCommand:  program,
		Short:        "Manage the htpasswd users in a Secret",
		Long:         longHelp,
		Example:      exampleHelp,
		Exit:         exitHelp,
		ExampleFlags: "--secret registry-auth",
		CreateHelp:   createHelp,
		LoginHelp:    loginHelp,
		StaleHint:    staleHint,
		Subcommands: func(p *cli.Program) []*cobra.Command {
			return append(cli.UserCommands(p), cli.NewCheck(p))
		},
		Flags:        f.register,
		CreateFlags:  f.registerCreate,
		EditFlags:    f.registerEdit,
		LoginFlags:   f.registerLogin,
		Manifests:    manifests,
		ServerDryRun: true,
		HintFlags:    []string{"namespace", "context", "kubeconfig", "secret", "key"},
		Open:         f.open,
	}
	return p
}
