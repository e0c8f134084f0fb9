// Prints, for each line of stdin, the credentials that the kubelet would try, computed by the kubelet's own packages.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/util/parsers"
)

type question struct {
	Image   string
	Secrets []struct {
		Name, Type string
		Content    []byte
	}
}

type tried struct {
	Secret   string `json:"secret"`
	Username []byte `json:"username"`
	Password []byte `json:"password"`
}

type answer struct {
	Error string  `json:"error"`
	Tried []tried `json:"tried"`
}

func ask(q question) answer {
	image, _, _, err := parsers.ParseImageName(q.Image)
	if err != nil {
		return answer{Error: "image: " + err.Error()}
	}
	var all []v1.Secret
	for _, s := range q.Secrets {
		key := v1.DockerConfigJsonKey
		if s.Type == string(v1.SecretTypeDockercfg) {
			key = v1.DockerConfigKey
		}
		all = append(all, v1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: s.Name},
			Type:       v1.SecretType(s.Type),
			Data:       map[string][]byte{key: s.Content},
		})
	}
	keyring, err := secrets.MakeDockerKeyring(all, &credentialprovider.BasicDockerKeyring{})
	if err != nil {
		return answer{Error: err.Error()}
	}
	found, _ := keyring.Lookup(image)
	result := answer{Tried: []tried{}}
	for _, c := range found {
		result.Tried = append(result.Tried, tried{c.Source.Secret.Name, []byte(c.Username), []byte(c.Password)})
	}
	return result
}

func main() {
	klog.SetLogger(klog.Logger{})
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		if err := json.NewEncoder(out).Encode(ask(q)); err != nil {
			panic(err)
		}
	}
}
