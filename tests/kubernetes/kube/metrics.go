package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	metrics "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// group is what the aggregator sends here; everything before it is cut off.
const group = "metrics.k8s.io/v1beta1"

// window is how long the kubelet averages CPU over.
var window = metav1.Duration{Duration: 10 * time.Second}

// serveMetrics answers metrics.k8s.io/v1beta1 from the kubelets' /stats/summary: all that the HPA controller and `kubectl
// top` ask of metrics-server, which cannot be part of this binary (its releases need other versions of the libraries).
// It authenticates nobody: bind it where only the API server reaches it.
func serveMetrics() {
	flags := flag.NewFlagSet("metrics", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig that may read pods, nodes and nodes/proxy")
	listen := flags.String("listen", "127.0.0.1:4443", "address to serve HTTPS on")
	_ = flags.Parse(os.Args[1:]) // ExitOnError

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	must(err)
	client, err := kubernetes.NewForConfig(config)
	must(err)
	certificate, key, err := cert.GenerateSelfSignedCertKey("metrics.kube-system.svc", nil, nil)
	must(err)
	pair, err := tls.X509KeyPair(certificate, key)
	must(err)
	server := &http.Server{
		Addr:              *listen,
		Handler:           metricsHandler{client},
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}},
		ReadHeaderTimeout: 5 * time.Second,
	}
	must(server.ListenAndServeTLS("", ""))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type metricsHandler struct{ client kubernetes.Interface }

func (h metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	body, err := h.answer(ctx, r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case body == nil:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body) // the client has gone
	}
}

// answer is nil where there is nothing of that name.
func (h metricsHandler) answer(ctx context.Context, r *http.Request) (any, error) {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/apis/"+group), "/")
	selector := r.URL.Query().Get("labelSelector")
	switch p := strings.Split(path, "/"); {
	case path == "":
		return resources(), nil
	case p[0] == "nodes" && len(p) == 1:
		return h.nodes(ctx)
	case p[0] == "nodes" && len(p) == 2:
		list, err := h.nodes(ctx)
		return find(list.Items, err, func(n metrics.NodeMetrics) string { return n.Name }, p[1])
	case p[0] == "pods" && len(p) == 1:
		return h.pods(ctx, "", selector)
	case p[0] == "namespaces" && len(p) == 3 && p[2] == "pods":
		return h.pods(ctx, p[1], selector)
	case p[0] == "namespaces" && len(p) == 4 && p[2] == "pods":
		list, err := h.pods(ctx, p[1], "")
		return find(list.Items, err, func(n metrics.PodMetrics) string { return n.Name }, p[3])
	}
	return nil, nil
}

func find[T any](items []T, err error, nameOf func(T) string, name string) (any, error) {
	for _, item := range items {
		if nameOf(item) == name {
			return item, err
		}
	}
	return nil, err
}

func resources() metav1.APIResourceList {
	verbs := metav1.Verbs{"get", "list"}
	return metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: group,
		APIResources: []metav1.APIResource{
			{Name: "nodes", Kind: "NodeMetrics", Verbs: verbs},
			{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: verbs},
		},
	}
}

// summaries is what every node's kubelet measures; a node that does not answer is missing, as from metrics-server.
func (h metricsHandler) summaries(ctx context.Context) ([]stats.Summary, error) {
	nodes, err := h.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []stats.Summary
	for _, node := range nodes.Items {
		raw, err := h.client.CoreV1().RESTClient().Get().Resource("nodes").Name(node.Name).
			SubResource("proxy").Suffix("stats/summary").DoRaw(ctx)
		if err != nil {
			log.Printf("node %s: %v", node.Name, err)
			continue
		}
		var summary stats.Summary
		if err := json.Unmarshal(raw, &summary); err != nil {
			return nil, err
		}
		all = append(all, summary)
	}
	return all, nil
}

func (h metricsHandler) nodes(ctx context.Context) (metrics.NodeMetricsList, error) {
	list := metrics.NodeMetricsList{TypeMeta: metav1.TypeMeta{Kind: "NodeMetricsList", APIVersion: group}}
	summaries, err := h.summaries(ctx)
	for _, s := range summaries {
		list.Items = append(list.Items, metrics.NodeMetrics{
			TypeMeta:   metav1.TypeMeta{Kind: "NodeMetrics", APIVersion: group},
			ObjectMeta: metav1.ObjectMeta{Name: s.Node.NodeName},
			Usage:      usage(s.Node.CPU, s.Node.Memory),
			Window:     window,
			Timestamp:  metav1.Now(),
		})
	}
	return list, err
}

func (h metricsHandler) pods(ctx context.Context, namespace, selector string) (metrics.PodMetricsList, error) {
	list := metrics.PodMetricsList{TypeMeta: metav1.TypeMeta{Kind: "PodMetricsList", APIVersion: group}}
	pods, err := h.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return list, err
	}
	summaries, err := h.summaries(ctx)
	measured := map[types.UID]stats.PodStats{}
	for _, s := range summaries {
		for _, p := range s.Pods {
			measured[types.UID(p.PodRef.UID)] = p
		}
	}
	for _, pod := range pods.Items {
		// A pod without a measurement yet is absent, not zero: the HPA would scale down on a zero.
		if containers, at := containers(measured[pod.UID]); len(containers) > 0 {
			list.Items = append(list.Items, metrics.PodMetrics{
				TypeMeta:   metav1.TypeMeta{Kind: "PodMetrics", APIVersion: group},
				ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels},
				Timestamp:  at,
				Window:     window,
				Containers: containers,
			})
		}
	}
	return list, err
}

func containers(pod stats.PodStats) (all []metrics.ContainerMetrics, at metav1.Time) {
	for _, c := range pod.Containers {
		if c.CPU != nil && c.CPU.UsageNanoCores != nil && c.Memory != nil {
			at = c.CPU.Time
			all = append(all, metrics.ContainerMetrics{Name: c.Name, Usage: usage(c.CPU, c.Memory)})
		}
	}
	return all, at
}

func usage(cpu *stats.CPUStats, memory *stats.MemoryStats) corev1.ResourceList {
	list := corev1.ResourceList{}
	if cpu != nil && cpu.UsageNanoCores != nil {
		list[corev1.ResourceCPU] = *resource.NewScaledQuantity(int64(*cpu.UsageNanoCores), resource.Nano)
	}
	if memory != nil && memory.WorkingSetBytes != nil {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(*memory.WorkingSetBytes), resource.BinarySI)
	}
	return list
}
