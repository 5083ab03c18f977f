(()=>{
const state=new URLSearchParams(location.search).get('state');
history.replaceState(null,'',location.pathname);
const results=document.querySelector('[role=status]'),main=results.parentNode;
if(!state)return;
const title=document.title,heading=main.querySelector('h1').textContent;
let left=80,pause=1000,failures=0;
const show=(name,beside)=>{
for(const part of main.children)part.hidden=part!==results&&!!name&&!beside;
let now=heading;
for(const part of results.children){
part.hidden=part.dataset.result!==name;
const h1=part.querySelector('h1');
if(h1&&!part.hidden)now=h1.textContent;
}
document.title=title.replace(heading,()=>now);
};
const ask=async()=>{
if(document.hidden){
document.addEventListener('visibilitychange',()=>{pause=1000;ask()},{once:true});
return;
}
left--;
try{
const answer=await fetch('connect/status',{method:'POST',credentials:'omit',body:new URLSearchParams({state})});
if(answer.status===404)return;
if(answer.ok){
const{status,next}=await answer.json();
if(status==='connected')return show(status);
failures=status==='failed'?failures+1:0;
if(failures>1)show(next||status);
else if(!failures)show(status==='pending'&&next?'delayed':undefined,true);
}
}catch{}
if(left>0)setTimeout(ask,pause);
pause=Math.min(pause*1.3,15000);
};
setTimeout(ask,pause);
})()
