(()=>{
const result=document.querySelector('[role=status]'),main=result.parentNode;
const language=document.documentElement.lang,number=main.querySelector('.number');
const query=new URLSearchParams(location.search),given=query.get('state'),state=given||history.state;
if(given)history.replaceState(given,'','?'+new URLSearchParams({attempt:result.dataset.attempt,language}));
else if(!query.has('attempt')){
history.replaceState(state,'',location.pathname);
if(main.querySelector('.code'))return;
}
if(!state)return;
const title=document.title,heading=main.querySelector('h1').textContent;
let left=80,pause=1000,failures=0,shown;
const make=(name,kind,...content)=>{
const made=document.createElement(name);
made.className=kind;
made.append(...content);
return made;
};
const section=says=>{
const made=make('section',says.mood);
if(says.title){
const sign=make('div','sign',says.sign);
sign.setAttribute('aria-hidden','true');
made.append(sign,make('h1','',says.title));
}
const[before,after]=(number&&says.text_named||says.text).split('\ufffc');
made.append(after===undefined?make('p','',before):make('p','',before,number.cloneNode(true),after));
if(says.button){
const button=make('a','button',says.button.text);
button.href=says.button.url;
made.append(button);
}
return made;
};
const show=(says,beside)=>{
const now=JSON.stringify(says);
if(now===shown)return;
shown=now;
for(const part of main.children)part.hidden=part!==result&&!!says&&!beside;
result.replaceChildren(...says?[section(says)]:[]);
document.title=title.replace(heading,()=>says&&says.title||heading);
};
const ask=async()=>{
if(document.hidden){
document.addEventListener('visibilitychange',()=>{pause=1000;ask()},{once:true});
return;
}
left--;
try{
const answer=await fetch('connect/status',{method:'POST',credentials:'omit',body:new URLSearchParams({state,language})});
if(answer.status===404)return;
if(answer.ok){
const{status,page}=await answer.json();
if(status==='connected')return show(page);
failures=status==='failed'?failures+1:0;
if(failures!==1)show(page,!failures);
}
}catch{}
if(left>0)setTimeout(ask,pause);
pause=Math.min(pause*1.3,15000);
};
setTimeout(ask,given?pause:0);
})()
