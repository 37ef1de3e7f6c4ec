package main

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/registryctl/registryctl/internal/cli"
)

// manifests are the values of -o that print the Secret.
var manifests = []string{"yaml", "json", "name"}

// printManifest prints the Secret. After a client-side dry run it is a manifest to apply,
// without the fields that the server sets.
func (s *secret) printManifest(object *unstructured.Unstructured) error {
	if s.options.Manifest == "name" {
		return s.program.Print([]byte("secret/" + s.name + "\n"))
	}
	object = object.DeepCopy()
	object.SetManagedFields(nil)
	if s.options.DryRun == cli.DryRunClient {
		for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "ownerReferences"} {
			unstructured.RemoveNestedField(object.Object, "metadata", field)
		}
		annotations := object.GetAnnotations()
		if delete(annotations, lastApplied); len(annotations) == 0 {
			annotations = nil
		}
		object.SetAnnotations(annotations)
	}
	text, err := json.MarshalIndent(object.Object, "", "    ")
	text = append(text, '\n')
	if s.options.Manifest == "yaml" {
		text, err = yaml.Marshal(object.Object)
	}
	if err != nil {
		return err
	}
	return s.program.Print(text)
}
