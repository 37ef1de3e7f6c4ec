package main

import (
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// defaultManager is the name under which the server records who wrote the key.
	defaultManager = "kubectl-registryctl"

	managedBy   = "app.kubernetes.io/managed-by"
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
)

// warnOfManagers warns if something else manages the Secret, and if an annotation of it
// holds a copy of the users. It looks at the Secret before the edit.
func (s *secret) warnOfManagers(before *unstructured.Unstructured) {
	if before == nil {
		return
	}
	key, _, err := s.text(before)
	if err != nil {
		return
	}
	if who := s.manager(before, key); who != "" {
		s.program.Warn("%s is managed by %s, which will undo this edit; edit its source", s, who)
	}
	if isInLastApplied(before, key) {
		s.program.Warn("an annotation of %s keeps the hashes of removed users: %s", s, s.kubectl("annotate secret", s.name, "-n", s.namespace, lastApplied+"-"))
	}
}

// manager returns the name of what else manages the key, or "" if nothing is known to.
func (s *secret) manager(object *unstructured.Unstructured, key string) string {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return owner.Kind + " " + owner.Name
	}
	if label := object.GetLabels()[managedBy]; label != "" {
		return label
	}
	for _, fields := range object.GetManagedFields() {
		if fields.Manager != s.fieldManager && !isByHand(fields.Manager) && owns(fields, key) {
			return fields.Manager
		}
	}
	return ""
}

// isByHand reports whether a field manager is this program, kubectl or oc, which a person
// runs.
func isByHand(manager string) bool {
	return manager == "oc" || manager == "kubectl" || strings.HasPrefix(manager, "kubectl-") || strings.HasPrefix(manager, "oc-")
}

// owns reports whether the fields include the key.
func owns(fields metav1.ManagedFieldsEntry, key string) bool {
	var set struct {
		Data       map[string]any `json:"f:data"`
		StringData map[string]any `json:"f:stringData"`
	}
	if fields.FieldsV1 == nil || json.Unmarshal(fields.FieldsV1.GetRawBytes(), &set) != nil {
		return false
	}
	_, encoded := set.Data["f:"+key]
	_, plain := set.StringData["f:"+key]
	return encoded || plain
}

// isInLastApplied reports whether "kubectl apply" has left the text of the key in
// its annotation.
func isInLastApplied(object *unstructured.Unstructured, key string) bool {
	var applied struct{ Data, StringData map[string]any }
	if json.Unmarshal([]byte(object.GetAnnotations()[lastApplied]), &applied) != nil {
		return false
	}
	_, encoded := applied.Data[key]
	_, plain := applied.StringData[key]
	return encoded || plain
}
