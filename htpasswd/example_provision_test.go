package htpasswd_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/registryctl/registryctl/htpasswd"
)

// A service that provisions users: PUT /users/NAME with a password in a form adds the user
// or sets the password. Many requests may come at once, and other programs may
// edit the file.
func Example_provision() {
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	users := htpasswd.FileStore{Path: dir + "/registry.htpasswd", Create: true}
	put := func(r *http.Request) error {
		password := []byte(r.FormValue("password"))
		if err := htpasswd.ValidatePassword(password); err != nil {
			return err
		}
		hash, err := htpasswd.HashPassword(password, htpasswd.DefaultCost)
		if err != nil {
			return err
		}
		_, err = users.Update(r.Context(), func(f *htpasswd.File) error {
			return f.Set(r.PathValue("name"), hash)
		})
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /users/{name}", func(w http.ResponseWriter, r *http.Request) {
		if err := put(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})

	for _, password := range []string{"d0cker", ""} {
		r := httptest.NewRequest("PUT", "/users/elton", strings.NewReader("password="+password))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Printf("%d %q\n", w.Code, w.Body)
	}
	// Output:
	// 200 ""
	// 400 "invalid password: it is empty\n"
}
