package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/registryctl/registryctl/internal/cli"
)

// completionTime is how long a person who has pressed Tab waits for the cluster.
const completionTime = 3 * time.Second

// complete makes the values of the flags complete from the cluster. The names of
// users do in any case.
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

func (f *flags) listSecrets(ctx context.Context) ([]string, error) {
	// Those of a type that has no place for users are left out.
	return f.list(ctx, secrets, true, metav1.ListOptions{FieldSelector: "type!=helm.sh/release.v1,type!=kubernetes.io/dockerconfigjson," +
		"type!=kubernetes.io/service-account-token,type!=kubernetes.io/tls"})
}

func (f *flags) listNamespaces(ctx context.Context) ([]string, error) {
	return f.list(ctx, schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, false, metav1.ListOptions{})
}

// list returns the names of objects, and lets nothing else of them be sent.
func (f *flags) list(ctx context.Context, resource schema.GroupVersionResource, namespaced bool, options metav1.ListOptions) ([]string, error) {
	config, namespace, err := f.config()
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	if !namespaced {
		namespace = metav1.NamespaceAll
	}
	objects, err := client.Resource(resource).Namespace(namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, object := range objects.Items {
		names = append(names, object.Name)
	}
	return names, nil
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
	config, err := f.cluster.ToRawKubeConfigLoader().RawConfig()
	return slices.Sorted(maps.Keys(config.Contexts)), err
}
