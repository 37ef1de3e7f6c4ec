package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryctl/registryctl/internal/cli"
)

// completionTime is how long a completion waits for the cluster.
const completionTime = 3 * time.Second

// complete registers the completion of flags whose values come from the cluster.
func (f *flags) complete(root *cobra.Command) {
	for name, values := range map[string]func(context.Context) ([]string, error){
		"secret":    f.listSecrets,
		"key":       f.listKeys,
		"namespace": f.listNamespaces,
		"context":   f.listContexts,
	} {
		_ = root.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
			defer cancel()
			list, _ := values(ctx)
			return list, cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// listSecrets omits the Secrets whose type has no place for users.
func (f *flags) listSecrets(ctx context.Context) ([]string, error) {
	client, namespace, err := f.connect()
	if err != nil {
		return nil, err
	}
	return client.names(ctx, namespace, secrets, "type!=helm.sh/release.v1,type!=kubernetes.io/dockerconfigjson,"+
		"type!=kubernetes.io/service-account-token,type!=kubernetes.io/tls")
}

func (f *flags) listNamespaces(ctx context.Context) ([]string, error) {
	client, _, err := f.connect()
	if err != nil {
		return nil, err
	}
	return client.names(ctx, metav1.NamespaceAll, "namespaces", "")
}

func (f *flags) listKeys(ctx context.Context) ([]string, error) {
	text, err := f.open(cli.OpenOptions{Access: cli.ToRead})
	if err != nil {
		return nil, err
	}
	object, err := text.Store.(*secret).get(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(data(object))), nil
}

func (f *flags) listContexts(context.Context) ([]string, error) {
	config, err := f.loader().RawConfig()
	return slices.Sorted(maps.Keys(config.Contexts)), err
}
