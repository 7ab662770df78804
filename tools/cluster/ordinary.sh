# What people do all day: deliver, look, scale, roll back, tidy up. $1 is the namespace, $2 a number, $3 the folder of this
# file. No rule may tell of it above NOTICE; that a step fails, as logs of a node that runs nothing do, is ordinary too.
set -u
in="kubectl --namespace=$1"
kubectl get namespace "$1" || kubectl create namespace "$1"
$in apply -f "$3/ordinary.yaml"
$in rollout status deployment/web --timeout=40s
$in get pods,deployments,services -o wide
$in set image deployment/web web="nginx:1.2$2"
$in rollout status deployment/web --timeout=40s
$in scale deployment/web --replicas=$(($2 % 4 + 1))
$in describe deployment web
$in label deployment web release="r$2" --overwrite
$in annotate service web note="n$2" --overwrite
$in rollout restart deployment/web
$in rollout undo deployment/web
$in rollout history deployment/web
$in create job "once-$2" --image=busybox -- true
$in delete job "once-$2"
$in get configmap settings -o yaml
$in diff -f "$3/ordinary.yaml"
$in apply -f "$3/ordinary.yaml"
$in delete pod --selector=app=db --wait=false
$in create configmap "notes-$2" --from-literal=a=b
$in delete configmap "notes-$2"
$in auth can-i get pods
$in logs deployment/web --tail=5
kubectl get nodes -o wide
kubectl get events --all-namespaces
kubectl api-resources
kubectl explain pods
if [ $(($2 % 3)) = 2 ]; then
    kubectl delete namespace "$1" --wait=false
    $in apply -f "$3/ordinary.yaml"
fi
