package basicauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/basicauth"
)

// A server that moves an old file to bcrypt: it accepts the old hash of a user
// once more, and replaces it by a bcrypt hash of the password that was right.
func Example_migrate() {
	dir, _ := os.MkdirTemp("", "auth")
	defer os.RemoveAll(dir)
	store := htpasswd.FileStore{Path: dir + "/registry.htpasswd", Create: true}
	_ = os.WriteFile(store.Path, []byte("elton:{SHA}kNoej8FsdG2erAqFiri5sSEd/XM=\n"), 0o600)

	users := &basicauth.Authenticator{
		Path:    store.Path,
		Schemes: []htpasswd.Scheme{htpasswd.Bcrypt, "sha1", "apr1"},
		OnLogin: func(r *http.Request, user string, err error) {
			if err != nil {
				return
			}
			_, password, _ := r.BasicAuth()
			_, err = store.Update(r.Context(), func(f *htpasswd.File) error {
				entry, ok := f.Lookup(user)
				if !ok || entry.Hash.Scheme() == htpasswd.Bcrypt {
					return nil
				}
				hash, err := htpasswd.HashPassword([]byte(password), htpasswd.DefaultCost)
				if err != nil {
					return err
				}
				return f.Set(user, hash)
			})
			if err != nil {
				log.Printf("%q keeps the old hash: %v", user, err)
			}
		},
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth("elton", "d0cker")
	_, err := users.VerifyRequest(r)
	f, _ := store.Read(context.Background())
	entry, _ := f.Lookup("elton")
	fmt.Println(err, entry.Hash)
	// Output: <nil> bcrypt(10)
}
